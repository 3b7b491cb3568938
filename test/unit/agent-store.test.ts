/** The board's database: what is put in comes out, once, in order, from either of two processes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AgentStore, type Checkpoint, openAgentStore } from '../../agent/store/agent-store.ts';
import { packTimes, unpackTimes } from '../../agent/store/chunks.ts';
import { AppError } from '../../core/base/errors.ts';
import type { SampleBlock } from '../../core/stream/event.ts';
import { measuredWindow, sampleBlock, secondOfMotion, temporaryPath } from '../fixtures/stored-motion.ts';

const CLASSES = ['walk', 'sit'];

function streamOf(store: AgentStore, modality: number, fromUs = 0): { tUs: number[]; values: number[] } {
  const blocks: SampleBlock[] = [...store.readStream(fromUs)].filter((block) => block.modality === modality);
  return { tUs: blocks.flatMap((b) => [...b.tUs]), values: blocks.flatMap((b) => [...b.values]) };
}

function checkpointAt(round: number, cursor: number): Checkpoint {
  return {
    round,
    cursor,
    seq: round + 1,
    modelVersion: round,
    params: Float32Array.of(round, 0.5),
    residual: Float32Array.of(-round),
  };
}

test('a fresh store is empty', (t) => {
  const store = openAgentStore(temporaryPath(t));
  assert.equal(store.ingestPosition(), null);
  assert.equal(store.lastStoredUs(), null);
  assert.equal(store.checkpoint(), null);
  assert.deepEqual(store.pending(), []);
  assert.deepEqual(store.nextWindows({ afterIndex: -1, classes: CLASSES, limit: 10 }), []);
  store.close();
});

test('the raw stream comes back bit for bit after a reopen, in chunks of about a second', (t) => {
  const path = temporaryPath(t);
  const first = openAgentStore(path);
  for (let second = 0; second < 3; second++) first.ingest(secondOfMotion(second));
  first.ingest({ ...secondOfMotion(0), blocks: [sampleBlock(0, 300, 250)] });
  first.close();
  const store = openAgentStore(path);
  const expected = [0, 100, 200].map((at) => sampleBlock(0, at, 100)).concat(sampleBlock(0, 300, 250));
  const stream = streamOf(store, 0);
  assert.deepEqual(
    stream.tUs,
    expected.flatMap((b) => [...b.tUs]),
  );
  assert.deepEqual(
    stream.values,
    expected.flatMap((b) => [...b.values]),
  );
  assert.equal(streamOf(store, 1).tUs.length, 300);
  const sizes = [...store.readStream(0)].filter((b) => b.modality === 0).map((b) => b.tUs.length);
  assert.deepEqual(sizes.length, 6);
  assert.equal(Math.max(...sizes), 101);
  assert.deepEqual(streamOf(store, 0, 3_000_000).tUs.length, 250);
  store.close();
});

test('a resumed replay stores nothing twice: samples at or before the last stored time are skipped', (t) => {
  const path = temporaryPath(t);
  const store = openAgentStore(path);
  store.ingest({ ...secondOfMotion(0), blocks: [sampleBlock(0, 0, 100)] });
  store.close();
  const resumed = openAgentStore(path);
  const whole = sampleBlock(0, 0, 150);
  resumed.ingest({ ...secondOfMotion(0), blocks: [whole, sampleBlock(1, 0, 10)] });
  const { tUs } = streamOf(resumed, 0);
  assert.equal(tUs.length, 150);
  assert.ok(tUs.every((time, i) => i === 0 || time > Number(tUs[i - 1])));
  assert.equal(streamOf(resumed, 1).tUs.length, 10);
  assert.equal(resumed.lastStoredUs(), whole.tUs.at(-1));
  resumed.close();
});

test('a recording stamped with seconds since 1970 keeps both modalities exactly', (t) => {
  const store = openAgentStore(temporaryPath(t));
  const startUs = 1_700_000_000_000_000;
  const shifted = [0, 1].map((modality) => {
    const block = sampleBlock(modality, 0, 250);
    return { ...block, tUs: block.tUs.map((_, i) => startUs + i * 10_000) };
  });
  store.ingest({ ...secondOfMotion(0), blocks: shifted });
  for (const [modality, block] of shifted.entries()) {
    const stored = streamOf(store, modality);
    assert.deepEqual(stored.tUs, [...block.tUs]);
    assert.deepEqual(stored.values, [...block.values]);
  }
  store.close();
});

test('blocks of one call that overlap are stored once', (t) => {
  const store = openAgentStore(temporaryPath(t));
  const block = sampleBlock(0, 0, 50);
  store.ingest({ ...secondOfMotion(0), blocks: [block, block, sampleBlock(0, 50, 5)] });
  assert.equal(streamOf(store, 0).tUs.length, 55);
  store.close();
});

test('times pack to a byte or two and unpack exactly, gaps and odd starts included', () => {
  const regular = Float64Array.from({ length: 1000 }, (_, i) => 3_000_000_000_000 + i * 10_000);
  assert.ok(packTimes(regular).length < 1010);
  const odd = Float64Array.of(5, 6, 4_000_000_000_000, 4_000_000_000_001, 4_000_000_040_000);
  for (const times of [regular, odd, Float64Array.of(7), new Float64Array(0)]) {
    assert.deepEqual(unpackTimes(packTimes(times), times[0] ?? 0, times.length), times);
  }
});

test('windows come back whole, labelled ones of the classes only, in order and after the cursor', (t) => {
  const store = openAgentStore(temporaryPath(t));
  const labels = ['walk', 'run', null, 'sit', 'walk', 'sit'];
  const windows = labels.map((label, i) => measuredWindow(i, label, i === 3));
  store.ingest(secondOfMotion(0, windows));
  const all = store.nextWindows({ afterIndex: -1, classes: CLASSES, limit: 10 });
  assert.deepEqual(
    all,
    [0, 3, 4, 5].map((i) => windows[i]),
  );
  assert.equal(all[1]?.values[1], null);
  assert.deepEqual(
    store.nextWindows({ afterIndex: 0, classes: CLASSES, limit: 2 }).map((w) => w.index),
    [3, 4],
  );
  assert.equal(store.countWindows({ afterIndex: 0, classes: CLASSES }), 3);
  assert.equal(store.countWindows({ afterIndex: -1, classes: [] }), 0);
  store.close();
});

test('values of a window are copies: changing them changes nothing stored', (t) => {
  const store = openAgentStore(temporaryPath(t));
  store.ingest(secondOfMotion(0, [measuredWindow(0)]));
  const query = { afterIndex: -1, classes: CLASSES, limit: 1 };
  store.nextWindows(query)[0]?.values[0]?.fill(9);
  assert.deepEqual(store.nextWindows(query), [measuredWindow(0)]);
  store.close();
});

test('a window of an index that is stored already is ignored', (t) => {
  const store = openAgentStore(temporaryPath(t));
  store.ingest(secondOfMotion(0, [measuredWindow(0, 'walk')]));
  store.ingest(secondOfMotion(1, [{ ...measuredWindow(1), index: 0, label: 'sit' }]));
  assert.deepEqual(store.nextWindows({ afterIndex: -1, classes: CLASSES, limit: 9 }), [measuredWindow(0, 'walk')]);
  store.close();
});

test('position and small state go with the stream in one call', (t) => {
  const path = temporaryPath(t);
  const store = openAgentStore(path);
  const position = { nextIndex: 4, resumeAtUs: 1_280_000, streamEnded: true };
  store.ingest({ ...secondOfMotion(0), position, state: { quality: Uint8Array.of(1, 2), ingest: Uint8Array.of(9) } });
  store.close();
  const again = openAgentStore(path);
  assert.deepEqual(again.ingestPosition(), position);
  assert.deepEqual(again.state('quality'), Uint8Array.of(1, 2));
  assert.deepEqual(again.state('ingest'), Uint8Array.of(9), 'a key of the caller is not the key of the position');
  assert.equal(again.state('unknown'), null);
  again.close();
});

test('a commit keeps checkpoint, update and the windows it used together', (t) => {
  const path = temporaryPath(t);
  const store = openAgentStore(path);
  store.commitTraining(checkpointAt(1, 4), { round: 1, seq: 2, payload: Uint8Array.of(7) }, [3, 4]);
  store.close();
  const again = openAgentStore(path);
  assert.deepEqual(again.checkpoint(), checkpointAt(1, 4));
  assert.deepEqual(again.pending(), [{ round: 1, seq: 2, payload: Uint8Array.of(7), attempts: 0, receipt: null }]);
  assert.deepEqual(
    again.windowUses(),
    [3, 4].map((windowIndex) => ({ windowIndex, round: 1, seq: 2 })),
  );
  again.close();
});

test('a window cannot be used twice: the second commit fails whole', (t) => {
  const store = openAgentStore(temporaryPath(t));
  store.commitTraining(checkpointAt(1, 4), { round: 1, seq: 2, payload: Uint8Array.of(7) }, [3, 4]);
  const again = () => store.commitTraining(checkpointAt(2, 5), { round: 2, seq: 3, payload: Uint8Array.of(8) }, [4, 5]);
  assert.throws(again, (error) => error instanceof AppError && error.code === 'storage-failed');
  assert.deepEqual(store.checkpoint(), checkpointAt(1, 4));
  assert.equal(store.pending().length, 1);
  assert.equal(store.windowUses().length, 2);
  store.commitTraining(checkpointAt(2, 5), { round: 2, seq: 3, payload: Uint8Array.of(8) }, [5]);
  assert.equal(store.pending().length, 2, 'the connection is usable after the failure');
  store.close();
});

test('attempts and receipts are kept; settling deletes once and counts by outcome and reason', (t) => {
  const path = temporaryPath(t);
  const store = openAgentStore(path);
  for (const round of [1, 2, 3])
    store.commitTraining(checkpointAt(round, round), { round, seq: round, payload: new Uint8Array(1) }, [round]);
  const receipt = { round: 1, seq: 1, verdict: 'accepted', reason: null, final: false } as const;
  store.recordAttempt({ round: 1, seq: 1 });
  store.recordAttempt({ round: 1, seq: 1 });
  store.recordReceipt(receipt);
  store.close();
  const again = openAgentStore(path);
  assert.deepEqual(again.pending().map(({ attempts, receipt: kept }) => ({ attempts, kept }))[0], {
    attempts: 2,
    kept: receipt,
  });
  assert.equal(again.settle({ round: 1, seq: 1 }, 'counted'), true);
  assert.equal(again.settle({ round: 1, seq: 1 }, 'counted'), false);
  assert.equal(again.settle({ round: 2, seq: 2 }, 'rejected', 'late'), true);
  assert.equal(again.settle({ round: 3, seq: 3 }, 'rejected', 'late'), true);
  assert.deepEqual(again.pending(), []);
  assert.deepEqual(again.settled(), [
    { outcome: 'counted', reason: '', count: 1 },
    { outcome: 'rejected', reason: 'late', count: 2 },
  ]);
  again.close();
});

test('two connections: the learner sees what acquisition stored and the other way round', (t) => {
  const path = temporaryPath(t);
  const acquisition = openAgentStore(path);
  const learner = openAgentStore(path, { owner: false });
  acquisition.ingest(secondOfMotion(0, [measuredWindow(0), measuredWindow(1)]));
  assert.equal(learner.countWindows({ afterIndex: -1, classes: CLASSES }), 2);
  learner.commitTraining(checkpointAt(1, 1), { round: 1, seq: 1, payload: Uint8Array.of(1) }, [0, 1]);
  acquisition.ingest(secondOfMotion(1, [measuredWindow(2)]));
  assert.equal(acquisition.pending().length, 1);
  assert.equal(acquisition.checkpoint()?.cursor, 1);
  acquisition.close();
  learner.close();
});

test('a stream read while the store is written to goes on undisturbed', (t) => {
  const path = temporaryPath(t);
  const store = openAgentStore(path);
  for (let second = 0; second < 3; second++) store.ingest(secondOfMotion(second));
  const reader = openAgentStore(path, { owner: false });
  let blocks = 0;
  for (const _ of reader.readStream(0)) {
    if (blocks++ === 0) store.ingest(secondOfMotion(3));
  }
  assert.equal(blocks, 6);
  reader.close();
  store.close();
});

test('a folder that does not exist: storage-failed with the path and a hint', () => {
  const path = '/nonexistent-folder/board.db';
  assert.throws(
    () => openAgentStore(path),
    (error) =>
      error instanceof AppError && error.code === 'storage-failed' && error.where === path && error.hint !== undefined,
  );
});

test('a board enters each epoch once, and takes nothing that was made in another', (t) => {
  const store = openAgentStore(temporaryPath(t));
  t.after(() => store.close());
  const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(16)) as [string, string, string];
  const commit = (seq: number, epoch?: string) =>
    store.commitTraining(checkpointAt(seq, seq), { round: seq, seq, payload: Uint8Array.of(seq), epoch }, [seq]);
  assert.equal(store.epoch(), null);
  assert.equal(commit(1), 'committed'); // by an aggregator that does not say
  assert.deepEqual(store.adoptEpoch(a), { kind: 'first' });
  assert.deepEqual([store.checkpoint()?.round, store.pending().length], [1, 1], 'it goes on as it was');
  assert.equal(commit(2, b), 'other-epoch');
  assert.deepEqual([store.checkpoint()?.round, store.pending().length, store.windowUses().length], [1, 1, 1]);
  assert.equal(commit(2, a), 'committed');
  const aside = [
    { round: 1, seq: 1 },
    { round: 2, seq: 2 },
  ];
  assert.deepEqual(store.adoptEpoch(b), { kind: 'new', from: a, aside });
  assert.deepEqual(store.adoptEpoch(b), { kind: 'kept' });
  assert.deepEqual(store.adoptEpoch(a), { kind: 'left' });
  assert.equal(store.epoch(), b);
  const { round, seq, cursor } = store.checkpoint() ?? assert.fail();
  assert.deepEqual([round, seq, cursor], [-1, 3, 2]);
  assert.deepEqual(store.settled(), [{ outcome: 'set-aside', reason: 'other-epoch', count: 2 }]);
  assert.deepEqual(
    store.quarantined().map(({ reason, payload }) => [reason, ...payload]),
    [
      ['other-epoch', 1],
      ['other-epoch', 2],
    ],
  );
  assert.deepEqual(store.adoptEpoch(c), { kind: 'new', from: b, aside: [] });
});
