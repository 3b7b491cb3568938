/**
 * Rubbish, for as long as one likes: damaged, foreign and lying messages on every topic, against the real intake with its store and
 * against what a board makes of the aggregator's. Nothing throws, every message is counted right or refused with a reason of the closed
 * list, the store stays what the messages made it, memory does not grow, and no message takes long.
 * QQR_FUZZ_SECONDS says how long (default 5), QQR_TEST_SEED makes another run of it, or the same again.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createRng, type Rng } from '../../core/math/rng.ts';
import { initParams } from '../../core/model/params.ts';
import { shapeHash } from '../../core/model/spec.ts';
import { decodeUpdate } from '../../core/wire/decode.ts';
import {
  decodeGlobalModel,
  decodeGlobalPrototypes,
  decodeReceipt,
  decodeRoundClosed,
  decodeRoundPlan,
  decodeStatus,
} from '../../core/wire/decode-downlink.ts';
import {
  encodeGlobal,
  encodeReceipt,
  encodeRoundClosed,
  encodeRoundPlan,
  encodeStatus,
  encodeUpdate,
} from '../../core/wire/messages.ts';
import { REJECT_REASONS, type Update } from '../../core/wire/update.ts';
import { firstGlobal } from '../../server/next-global.ts';
import { createStrategy } from '../../server/strategies/registry.ts';
import { corpusEntries, corpusOf } from '../fixtures/corpus.ts';
import { createFuzzedAggregator, FUZZED, FUZZED_EPOCH, type FuzzedAggregator } from '../fixtures/fuzzed-aggregator.ts';
import { BOARD, createFuzzedBoard, DOWNLINKS, type FuzzedBoard } from '../fixtures/fuzzed-board.ts';
import { mutateFrame, pick } from '../fixtures/mutate-frame.ts';
import {
  expectationOf,
  sampleCodedUpdate,
  sampleStatistics,
  sampleUpdate,
  TINY_SPEC,
} from '../fixtures/sample-update.ts';
import { withWrongValue } from '../fixtures/wrong-value.ts';

const SECONDS = Number(process.env['QQR_FUZZ_SECONDS'] ?? 5);
const SEED = Number(process.env['QQR_TEST_SEED'] ?? 20261129);
const MESSAGES_OF_A_ROUND = 1500;
/** However busy the machine is. */
const FEWEST = 500;
/** A message that takes longer than this, each time it is tried, is an attack. Honest ones take less than a millisecond. */
const SLOWEST_MS = 250;
/** Memory may come to rest at first; after that it may grow by so much, noise of the collector included. */
const MOST_GROWTH_MB = 64;

const DEVICES = Array.from({ length: 24 }, (_, i) => `d${i}`);
const ODD_NAMES = [
  '',
  ' ',
  'a b',
  'a/b',
  '+',
  '#',
  '../d0',
  'd0/',
  'ä',
  '\u0000',
  '%2e',
  'd'.repeat(64),
  'd'.repeat(65),
  '.',
  '-',
];
const ODD_TOPICS = [
  ...ODD_NAMES.map((name) => `qqr/v1/fuzz/up/${name}`),
  'qqr/v1/other/up/d0',
  'qqr/v2/fuzz/up/d0',
  '',
  '$SYS/up/d0',
];

const SPEC = { spec: TINY_SPEC };
const UPDATES: readonly Update[] = [
  sampleUpdate({ ...SPEC, modelBits: 3 }),
  sampleUpdate({ ...SPEC, modelBits: 32, prototypeBits: 32 }),
  sampleCodedUpdate({ ...SPEC, modelBits: 3 }),
  sampleCodedUpdate({ ...SPEC, modelBits: 4, sparse: true }),
  sampleStatistics(TINY_SPEC),
];

/** A message that comes to the aggregator: now and then as it should be, mostly not. */
function updateMessage(aggregator: FuzzedAggregator, rng: Rng): { topic: string; payload: Uint8Array } {
  const device = pick(DEVICES, rng);
  const round = aggregator.round() + pick([0, 0, 0, 0, 0, 0, -1, -1, 1, 2 ** 20], rng);
  const version = aggregator.version() + pick([0, 0, 0, 0, 0, -1, 1], rng);
  const named = {
    device: rng.int(20) === 0 ? pick(DEVICES, rng) : device,
    round,
    seq: rng.int(4),
    modelVersion: version,
    ...pick([{}, ...Array(18).fill({ epoch: FUZZED_EPOCH }), { epoch: '0f'.repeat(8) }], rng),
  };
  const update = { ...pick(UPDATES, rng), ...named };
  const topic = rng.int(25) === 0 ? pick(ODD_TOPICS, rng) : FUZZED.up(device);
  return { topic, payload: spoilt(update, encodeUpdate, rng, corpusOf('update')) };
}

/** The encoded message, whole, with a wrong value in it, or damaged; or one of the corpus, damaged. */
function spoilt<T>(value: T, encode: (value: T) => Uint8Array, rng: Rng, corpus: readonly Uint8Array[]): Uint8Array {
  const kind = rng.int(10);
  if (kind === 0) return encode(value);
  if (kind === 1 && corpus.length > 0) return mutateFrame(pick(corpus, rng), rng, [encode(value)]);
  const frame = kind < 5 ? encodedIfPossible(withWrongValue(value, rng), encode) : null;
  const whole = frame ?? encode(value);
  return frame !== null && kind < 4 ? frame : mutateFrame(whole, rng, corpus.length > 0 ? corpus : [whole]);
}

/** Null for a value that the encoder itself will not take. */
function encodedIfPossible<T>(value: T, encode: (value: T) => Uint8Array): Uint8Array | null {
  try {
    return encode(value);
  } catch {
    return null;
  }
}

function downlinkMessage(rng: Rng): { topic: string; payload: Uint8Array; direction: keyof typeof DOWNLINKS } {
  const state = { ...firstGlobal(TINY_SPEC, 1), params: initParams(TINY_SPEC, 1), version: rng.int(3) };
  const global = () => encodeGlobal(state, { round: rng.int(3), shapeHash: shapeHash(TINY_SPEC) });
  const { settings } = createStrategy('qqr');
  const plan = {
    round: rng.int(4),
    kind: 'training',
    modelVersion: rng.int(3),
    deadlineMs: 0,
    spec: TINY_SPEC,
    settings,
  } as const;
  const accepted = DEVICES.map((device, seq) => ({ device, seq }));
  const receipt = { round: 1, seq: 2, verdict: 'rejected', reason: 'late', final: true } as const;
  const direction = pick(Object.keys(DOWNLINKS) as (keyof typeof DOWNLINKS)[], rng);
  const corpus = corpusOf(direction);
  const payloads = {
    plan: () => spoilt(plan, encodeRoundPlan, rng, corpus),
    closed: () => spoilt({ round: 1, accepted }, encodeRoundClosed, rng, corpus),
    model: () => spoilt(null, () => global().model, rng, corpus),
    prototypes: () => spoilt(null, () => global().prototypes, rng, corpus),
    receipt: () => spoilt(receipt, encodeReceipt, rng, corpus),
    label: () => spoilt('walking', (text) => new TextEncoder().encode(String(text)), rng, corpus),
  };
  return { topic: DOWNLINKS[direction], payload: payloads[direction](), direction };
}

function takeStatus(rng: Rng): string {
  const status = {
    device: BOARD,
    state: pick(['online', 'finished', 'offline'] as const, rng),
    modalities: ['acc', 'gyr'],
  };
  const decoded = decodeStatus(spoilt(status, encodeStatus, rng, corpusOf('status')), BOARD);
  assert.ok(decoded.ok || REJECT_REASONS.includes(decoded.reason));
  return decoded.ok ? 'taken' : decoded.reason;
}

/** The longest that one message took, and what it was. */
function createStopwatch() {
  let slowest = { ms: 0, what: '' };
  return {
    slowest: () => slowest,
    /** Remembers; when it took too long, `again` is measured three times in processor time, since the machine may have been busy. */
    note(ms: number, what: string, again: () => void) {
      let least = ms;
      for (let n = 0; n < 3 && least > SLOWEST_MS; n++) {
        const start = process.cpuUsage();
        again();
        const { user, system } = process.cpuUsage(start);
        least = Math.min(least, (user + system) / 1000);
      }
      assert.ok(least <= SLOWEST_MS, `${what} takes ${least.toFixed(0)} ms`);
      if (least > slowest.ms) slowest = { ms: least, what };
    },
  };
}

async function fuzz(t: TestContext, aggregator: FuzzedAggregator): Promise<void> {
  const outcomes = new Map<string, number>();
  const watch = createStopwatch();
  const memory: number[] = [];
  const deadline = performance.now() + 1000 * SECONDS;
  let board: FuzzedBoard = await createFuzzedBoard();
  let number = 0;
  for (; performance.now() < deadline || number < FEWEST; number++) {
    const rng = createRng(`${SEED}/${number}`);
    const which = rng.int(10);
    const outcome = await one(which, rng, number);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (number % MESSAGES_OF_A_ROUND !== MESSAGES_OF_A_ROUND - 1) continue;
    await aggregator.turn();
    board = await createFuzzedBoard(); // a plan of a far round would be the last one taken
    memory.push(process.memoryUsage.rss() / 2 ** 20);
  }
  await aggregator.turn();
  const { ms, what } = watch.slowest();
  t.diagnostic(`${number} messages, seed ${SEED}; slowest ${ms.toFixed(1)} ms: ${what}`);
  for (const [outcome, count] of [...outcomes].sort()) t.diagnostic(`${outcome}: ${count}`);
  t.diagnostic(`memory ${memory.at(Math.floor(memory.length / 3))?.toFixed(0)} → ${memory.at(-1)?.toFixed(0)} MB`);
  assertFlat(memory);
  for (const outcome of ['counted', 'known', 'passed-over', 'malformed', 'wrong-device', 'wrong-round', 'out-of-range'])
    assert.ok((outcomes.get(`update ${outcome}`) ?? 0) > 0, `no update was ${outcome}`);

  async function one(which: number, rng: Rng, at: number): Promise<string> {
    const place = `message ${at} of seed ${SEED}`;
    if (which < 6) {
      const { topic, payload } = updateMessage(aggregator, rng);
      const start = performance.now();
      const outcome = aggregator.take(topic, payload);
      watch.note(performance.now() - start, `${place}, ${payload.length} bytes, ${outcome}`, () =>
        aggregator.take(topic, payload),
      );
      return `update ${outcome}`;
    }
    if (which === 9) return `status ${takeStatus(rng)}`;
    const { topic, payload, direction } = downlinkMessage(rng);
    const start = performance.now();
    const outcome = await board.take(topic, payload);
    watch.note(
      performance.now() - start,
      `${place}, ${direction}, ${payload.length} bytes`,
      () => void board.take(topic, payload),
    );
    return `${direction} ${outcome}`;
  }
}

/** The last third holds no more than the middle one did, but for noise. */
function assertFlat(memory: readonly number[]): void {
  const third = Math.floor(memory.length / 3);
  if (third < 2) return;
  const least = (part: readonly number[]) => Math.min(...part);
  const growth = least(memory.slice(2 * third)) - least(memory.slice(third, 2 * third));
  assert.ok(growth < MOST_GROWTH_MB, `memory has grown by ${growth.toFixed(0)} MB`);
}

test('rubbish on every topic is counted right or refused with a reason, and does no harm', {
  timeout: 1000 * SECONDS + 120_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-fuzz-'));
  const aggregator = createFuzzedAggregator(join(folder, 'rounds.sqlite'));
  t.after(() => {
    aggregator.dispose();
    rmSync(folder, { recursive: true });
  });
  await fuzz(t, aggregator);
});

/** What becomes of a frame that comes alone: an update as the first of the samples is expected, the others as a board or the aggregator would. */
const DECODERS: Readonly<
  Record<string, (frame: Uint8Array) => { readonly ok: true } | { readonly ok: false; readonly reason: string }>
> = {
  update: (frame) => decodeUpdate(frame, expectationOf(UPDATES[0] as Update, TINY_SPEC, { epoch: FUZZED_EPOCH })),
  plan: (frame) => decodeRoundPlan(frame),
  closed: (frame) => decodeRoundClosed(frame),
  model: (frame) => decodeGlobalModel(frame),
  prototypes: (frame) => decodeGlobalPrototypes(frame),
  receipt: (frame) => decodeReceipt(frame),
  status: (frame) => decodeStatus(frame, BOARD),
};

for (const [direction, decode] of Object.entries(DECODERS)) {
  test(`each frame of the corpus is refused for what it was refused for: ${direction}`, () => {
    const entries = corpusEntries(direction);
    assert.ok(entries.length > 10, `${entries.length} frames`);
    for (const { outcome, frame } of entries) {
      const decoded = decode(frame);
      assert.equal(decoded.ok ? 'taken' : decoded.reason, outcome, Buffer.from(frame).toString('hex'));
    }
  });
}
