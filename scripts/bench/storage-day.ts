/**
 * What a day does to a board's database: 24 h of accelerometer and gyroscope at 100 Hz, one transaction a second, with windows and a
 * learner that commits a round of them, as fast as the disk takes it. Shown per hour of stream: size of file and log, bytes written
 * per sample (what the process passed to write calls), the slowest ingest, what was dropped.
 *
 *   node dist/scripts/bench/storage-day.js [capMb=64] [hours=24] [windows of a round, 0: no learner; =10] [folder]
 */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentStore, type MeasuredWindow, openAgentStore } from '../../agent/store/agent-store.ts';
import { createRng } from '../../core/math/rng.ts';
import type { SampleBlock } from '../../core/stream/event.ts';

const RATE_HZ = 100;
const MODALITIES = [0, 1];
const WINDOW_SECONDS = 2.56;
const HOP_SECONDS = 1.28;
/** As the reference network has. */
const PARAMETERS = 21_000;
const UPDATE_BYTES = 6000;

const [capMb = 64, hours = 24, windowsOfRound = 10] = process.argv.slice(2, 5).map(Number);
const folder = mkdtempSync(join(process.argv[5] ?? tmpdir(), 'qqr-storage-'));
const path = join(folder, 'agent.sqlite');
const rng = createRng('storage-day');
const noise = Float32Array.from({ length: 30_000 }, () => rng.normal());

const bounds = { capBytes: capMb * 1e6, maxAgeUs: 30 * 86_400e6, policy: 'drop-oldest' } as const;
const store = openAgentStore(path, { bounds });
console.log('  hour   file MB    log MB   written/sample   slowest ingest ms   99.9 % ms');
let nextWindow = 0;
let largest = 0;
const before = written();
for (let hour = 0; hour < hours; hour++) {
  const [bytesBefore, times] = [written(), new Float64Array(3600)];
  for (let second = 0; second < 3600; second++) {
    const batch = batchOf(hour * 3600 + second);
    const start = process.hrtime.bigint();
    store.ingest(batch);
    times[second] = Number(process.hrtime.bigint() - start) / 1e6;
    if (windowsOfRound > 0) learn(store);
  }
  const perSample = (written() - bytesBefore) / (3600 * RATE_HZ * MODALITIES.length);
  const [file, log] = [sizeOf(path), sizeOf(`${path}-wal`)];
  largest = Math.max(largest, file + log);
  times.sort();
  const cells = [file / 1e6, log / 1e6, perSample, times.at(-1) ?? 0, times[3596] ?? 0];
  console.log([String(hour + 1).padStart(6), ...cells.map((cell) => cell.toFixed(2).padStart(10))].join('  '));
}
const samples = hours * 3600 * RATE_HZ * MODALITIES.length;
console.log(`largest file and log: ${(largest / 1e6).toFixed(2)} MB of ${capMb}`);
console.log(
  `${((written() - before) / samples).toFixed(1)} bytes written per sample, ${samples} samples, ${nextWindow} windows`,
);
console.log(
  `kept: ${store.countWindows({ afterIndex: -1, classes: ['walk'] })} windows, ${store.windowUses().length} uses`,
);
for (const { cause, kind, count } of store.losses()) console.log(`dropped for ${cause}: ${count} ${kind}`);
store.close();
rmSync(folder, { recursive: true });

function written(): number {
  return Number(/^wchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}

function sizeOf(file: string): number {
  return statSync(file).size;
}

function noiseOf(length: number): Float32Array {
  const from = rng.int(noise.length - length);
  return noise.slice(from, from + length);
}

function batchOf(second: number) {
  const blocks = MODALITIES.map((modality): SampleBlock => {
    const tUs = Float64Array.from({ length: RATE_HZ }, (_, i) => second * 1e6 + i * 10_000 + rng.int(50));
    return { kind: 'samples', modality, tUs, values: noiseOf(3 * RATE_HZ) };
  });
  const windows: MeasuredWindow[] = [];
  for (; nextWindow * HOP_SECONDS + WINDOW_SECONDS <= second + 1; nextWindow++) {
    windows.push({
      index: nextWindow,
      tStartUs: nextWindow * HOP_SECONDS * 1e6,
      label: 'walk',
      values: MODALITIES.map(() => noiseOf(3 * WINDOW_SECONDS * RATE_HZ)),
      completeness: [1, 1],
      quality: [rng.next(), rng.next()],
      measures: MODALITIES.map(() => noiseOf(8)),
    });
  }
  const state = { quality: new Uint8Array(noiseOf(100).buffer) };
  return { blocks, windows, state, position: { nextIndex: nextWindow, resumeAtUs: second * 1e6, streamEnded: false } };
}

/** Commits a round as soon as there are windows for one, and forgets its update as if it had been counted at once. */
function learn(board: AgentStore): void {
  const last = board.checkpoint();
  const afterIndex = last?.cursor ?? -1;
  if (nextWindow - 1 - afterIndex < windowsOfRound) return;
  const used = board.nextWindows({ afterIndex, classes: ['walk'], limit: windowsOfRound }).map(({ index }) => index);
  const key = { round: (last?.round ?? 0) + 1, seq: (last?.seq ?? 0) + 1 };
  const residual = new Float32Array(PARAMETERS).fill(key.round);
  board.commitTraining(
    { ...key, cursor: used.at(-1) ?? afterIndex, modelVersion: key.round, params: new Float32Array(0), residual },
    { ...key, payload: new Uint8Array(UPDATE_BYTES) },
    used,
  );
  board.settle(key, 'counted');
}
