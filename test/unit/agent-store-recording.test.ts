/** A board's own buffer plays again: the same samples, labels and windows, in order, whoever writes meanwhile. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openAgentReader, openAgentStore } from '../../agent/store/agent-store.ts';
import { exportTrace } from '../../agent/store/export.ts';
import { withLabels } from '../../agent/store/recorded-stream.ts';
import { createRecorder } from '../../agent/stream/recorder.ts';
import { AppError } from '../../core/base/errors.ts';
import { createRng } from '../../core/math/rng.ts';
import type { LabelChange, SampleBlock, StreamEvent, StreamHeader } from '../../core/stream/event.ts';
import type { Window } from '../../core/stream/window.ts';
import { createWindower } from '../../core/stream/windower.ts';
import { openTrace, readRecording } from '../../core/trace/csv-reader.ts';
import { writeRecording } from '../../core/trace/csv-writer.ts';
import { eventsOf } from '../../core/trace/recording-events.ts';
import { temporaryPath } from '../fixtures/stored-motion.ts';

const HEADER: StreamHeader = {
  modalities: [
    { name: 'acc', unit: 'mps2', channels: ['x', 'y', 'z'], sampleRateHz: 100 },
    { name: 'gyr', unit: 'radps', channels: ['x', 'y', 'z'], sampleRateHz: 50 },
  ],
};
const WANTED = HEADER.modalities.map((modality) => ({ ...modality, samples: 2.56 * modality.sampleRateHz }));

function label(tUs: number, text: string | null): LabelChange {
  return { kind: 'label', tUs, label: text };
}

/** Blocks of `samples` from `fromUs` until `toUs`, in order of their first sample, with the changes of label where a sensor tells them. */
function liveStream(fromUs: number, toUs: number, labels: readonly LabelChange[]): StreamEvent[] {
  const rng = createRng(`live/${fromUs}`);
  const events: StreamEvent[] = [...labels];
  for (const [modality, { sampleRateHz }] of HEADER.modalities.entries()) {
    const periodUs = 1e6 / sampleRateHz;
    const cuts = labels.map(({ tUs }) => tUs);
    for (let at = fromUs + 3000 * modality; at < toUs; ) {
      const end = Math.min(toUs, at + 100_000 + 7000 * modality, ...cuts.filter((cut) => cut > at));
      const samples = Math.max(1, Math.ceil((end - at) / periodUs));
      const tUs = Float64Array.from({ length: samples }, (_, i) => at + i * periodUs);
      const values = Float32Array.from({ length: 3 * samples }, () => rng.normal());
      events.push({ kind: 'samples', modality, tUs, values });
      at += samples * periodUs;
    }
  }
  const first = (event: StreamEvent) => (event.kind === 'label' ? event.tUs : Number(event.tUs[0]));
  return events.sort((a, b) => first(a) - first(b));
}

function recorderAt(position: Parameters<typeof createRecorder>[0]['position'] = null) {
  const rates = { header: HEADER, modalities: WANTED, windowSeconds: 2.56, overlap: 0.5, flushSeconds: 1 };
  return createRecorder({ ...rates, position, qualityState: null });
}

/** Stores the events as the pipeline does. */
function record(path: string, events: readonly StreamEvent[]): void {
  const store = openAgentStore(path);
  const recorder = recorderAt(store.ingestPosition());
  for (const event of events) {
    recorder.push(event);
    if (recorder.due()) store.ingest(recorder.take({ streamEnded: false }));
  }
  store.ingest(recorder.take({ streamEnded: false }));
  store.close();
}

function windowsOf(events: Iterable<StreamEvent>): Window[] {
  const windows: Window[] = [];
  const shape = { modalities: HEADER.modalities, wanted: WANTED, windowSeconds: 2.56, overlap: 0.5 };
  const windower = createWindower(shape, (window) => void windows.push(window));
  for (const event of events) windower.push(event);
  windower.end();
  return windows;
}

const LABELS = [label(0, 'sit'), label(7_345_678, 'walk'), label(7_350_000, 'run'), label(19_000_000, null)];
const LIVE = liveStream(0, 30e6, LABELS);

test('the buffer plays to the windows of the live stream, and so does its trace', async (t) => {
  const path = temporaryPath(t);
  record(path, LIVE);
  const expected = windowsOf(LIVE);
  assert.ok(expected.length > 10 && new Set(expected.map((window) => window.label)).size === 3);
  const reader = openAgentReader(path);
  assert.deepEqual(reader.recordingHeader(), { header: HEADER, sinceUs: 0 });
  assert.deepEqual(windowsOf(reader.readRecording(0)), expected);
  const trace = join(path, '..', 'board.csv.gz');
  await exportTrace(reader, trace, { subject: 'anna' });
  const { header } = await openTrace(trace);
  assert.deepEqual(header, { ...HEADER, subject: 'anna' });
  const recording = await readRecording(trace);
  assert.deepEqual(windowsOf(eventsOf(recording)), expected);
  assert.deepEqual(
    recording.labels,
    LABELS.map(({ tUs, label: text }) => ({ tUs, label: text })),
  );
  reader.close();
});

test('a stream written as it comes is the recording written whole, byte for byte', async (t) => {
  const path = temporaryPath(t);
  record(path, LIVE);
  const reader = openAgentReader(path);
  const [streamed, whole] = [join(path, '..', 'streamed.csv'), join(path, '..', 'whole.csv')];
  await exportTrace(reader, streamed, { subject: 'anna' });
  await writeRecording(await readRecording(streamed), whole);
  assert.equal(readFileSync(streamed, 'utf8'), readFileSync(whole, 'utf8'));
  reader.close();
});

test('from a later time on, the label that holds there is told with the first sample', (t) => {
  const path = temporaryPath(t);
  record(path, LIVE);
  const reader = openAgentReader(path);
  const events = [...reader.readRecording(12e6)];
  assert.deepEqual(events[0], label(Number((events[1] as SampleBlock).tUs[0]), 'run'));
  assert.ok(Number((events[1] as SampleBlock).tUs[0]) >= 12e6);
  reader.close();
});

test('no block reaches over a change of label, whatever way chunks and changes lie', () => {
  const block = (modality: number, ...tUs: number[]): SampleBlock => {
    return { kind: 'samples', modality, tUs: Float64Array.from(tUs), values: Float32Array.from(tUs) };
  };
  const blocks = [block(0, 10, 20, 30, 40), block(1, 15, 35), block(0, 50, 60), block(1, 55)];
  const labels = [
    label(0, 'a'),
    label(5, 'b'),
    label(20, 'c'),
    label(32, 'd'),
    label(33, 'e'),
    label(50, 'f'),
    label(99, null),
  ];
  const told = [...withLabels(blocks, labels)].map((event) =>
    event.kind === 'label' ? `${event.label}@${event.tUs}` : `${event.modality}:${[...event.tUs]}`,
  );
  assert.deepEqual(told, [
    ...[
      'b@10',
      '0:10',
      '1:15',
      'c@20',
      '0:20,30',
      'd@32',
      'e@33',
      '1:35',
      '0:40',
      'f@50',
      '0:50,60',
      '1:55',
      'null@99',
    ],
  ]);
  assert.deepEqual([...withLabels([], labels)], [], 'labels alone are no recording');
});

test('after a restart the stream goes on without a label until one is set', (t) => {
  const path = temporaryPath(t);
  record(path, liveStream(0, 5e6, [label(0, 'walk')]));
  record(path, liveStream(20e6, 25e6, []));
  record(path, liveStream(40e6, 45e6, [label(42e6, 'run')]));
  const reader = openAgentReader(path);
  const labels = [...reader.readRecording(0)].filter((event) => event.kind === 'label');
  assert.deepEqual(labels, [label(0, 'walk'), label(20e6, null), label(40e6, null), label(42e6, 'run')]);
  reader.close();
});

test('a replay that is resumed tells its labels again and changes nothing', (t) => {
  const path = temporaryPath(t);
  record(path, LIVE.slice(0, 200));
  record(path, LIVE);
  const reader = openAgentReader(path);
  assert.deepEqual(windowsOf(reader.readRecording(0)), windowsOf(LIVE));
  reader.close();
});

test('of a header that holds more, as a recording does, only what a header says is kept', (t) => {
  const store = openAgentStore(temporaryPath(t));
  const modalities = HEADER.modalities.map((modality) => ({ ...modality, tUs: new Float64Array(1000) }));
  const position = { nextIndex: 0, resumeAtUs: 0, streamEnded: false };
  store.ingest({ blocks: [], windows: [], position, header: { modalities } });
  assert.deepEqual(store.recordingHeader(), { header: HEADER, sinceUs: 0 });
  store.close();
});

test('with another sensor the recording begins anew, since its blocks mean something else', (t) => {
  const path = temporaryPath(t);
  record(path, LIVE);
  const store = openAgentStore(path);
  const header = { modalities: HEADER.modalities.slice(0, 1) };
  const position = { nextIndex: 99, resumeAtUs: 31e6, streamEnded: false };
  store.ingest({ blocks: [], windows: [], position, header });
  const [block] = liveStream(31e6, 31.1e6, []) as SampleBlock[];
  store.ingest({ blocks: block === undefined ? [] : [block], windows: [], position, header });
  assert.deepEqual(store.recordingHeader(), { header, sinceUs: 31e6 });
  assert.deepEqual(
    [...store.readRecording(0)].filter(({ kind }) => kind === 'samples'),
    [block],
  );
  assert.ok([...store.readStream(0)].length > 50, 'what was before is kept');
  store.close();
});

test('a trace is written while the agent goes on storing: what was there when it began', (t) => {
  const path = temporaryPath(t);
  record(path, LIVE);
  const store = openAgentStore(path);
  const reader = openAgentReader(path);
  let [events, seconds] = [0, 30];
  for (const event of reader.readRecording(0)) {
    if (event.kind === 'samples') events++;
    const blocks = liveStream(seconds * 1e6, ++seconds * 1e6, []) as SampleBlock[];
    const position = { nextIndex: 99, resumeAtUs: seconds * 1e6, streamEnded: false };
    store.ingest({ blocks, windows: [], position });
  }
  assert.ok(events < 100 && seconds > 80, `${events} blocks, ${seconds} s`);
  reader.close();
  store.close();
});

test('an empty database, and one of an older program, are refused with a hint', async (t) => {
  const path = temporaryPath(t);
  assert.throws(
    () => openAgentReader(path),
    (error) => error instanceof AppError && error.code === 'storage-failed',
  );
  openAgentStore(path).close();
  const reader = openAgentReader(path);
  const refused = exportTrace(reader, `${path}.csv`, { subject: 'anna' });
  await assert.rejects(refused, (error) => error instanceof AppError && error.code === 'input-missing');
  reader.close();
});
