/**
 * How long one board's training takes: milliseconds a step and a round for every fill, a fleet's one by one and side by side, and a
 * prediction of 512 windows.
 * `node dist/scripts/bench/train-step.js [rounds]`. Random windows of the reference network: times do not depend on values.
 */
import { createRng } from '../../core/math/rng.ts';
import { loadBackend } from '../../core/model/backend.ts';
import type { Batch } from '../../core/model/batch.ts';
import type { Network } from '../../core/model/network.ts';
import { createNetwork } from '../../core/model/network-tf.ts';
import { initParams } from '../../core/model/params.ts';
import { DEFAULT_SETTINGS, type Fill, type TrainSettings } from '../../core/model/settings.ts';
import { type ModelSpec, REFERENCE_NETWORK } from '../../core/model/spec.ts';
import type { PrototypeSet } from '../../core/qqr/prototype.ts';

const WINDOWS = 10;
const STEPS = 5;
/** Boards of the fleet that trains side by side. */
const FLEET = 21;

const spec: ModelSpec = {
  modalities: [
    { name: 'acc', unit: 'mps2', channels: ['x', 'y', 'z'], sampleRateHz: 50, samples: 128 },
    { name: 'gyr', unit: 'radps', channels: ['x', 'y', 'z'], sampleRateHz: 50, samples: 128 },
  ],
  classes: ['walk', 'up', 'down', 'sit', 'stand', 'lie'],
  ...REFERENCE_NETWORK,
};

const rounds = Number(process.argv[2] ?? 100);
const tf = await loadBackend();
const network = createNetwork(tf, spec);
const prototypes = randomPrototypes();
const full = randomBatch(WINDOWS, () => false);
const halfMissing = randomBatch(WINDOWS, (b, m) => m === 1 && b % 2 === 0);
const oneMissing = randomBatch(WINDOWS, (_, m) => m === 1);

const initialParams = initParams(spec, 1);
const before = network.tensorCount();
for (const fill of ['zero-embedding', 'pnr', 'zero-input'] as const) {
  for (const alignWeight of [1, 0]) {
    const label = `${fill}${alignWeight === 1 ? ' + PLR' : ''}`;
    report(`${label}, all present`, () => train(network, full, fill, alignWeight), STEPS);
    report(`${label}, half a modality missing`, () => train(network, halfMissing, fill, alignWeight), STEPS);
    report(`${label}, one modality missing`, () => train(network, oneMissing, fill, alignWeight), STEPS);
  }
}
const shared = settingsOf('zero-embedding', 1);
const fleet = Array.from({ length: FLEET }, () => ({
  params: initialParams,
  prototypes,
  batch: full,
  settings: shared,
}));
report(`${FLEET} boards one by one, a board-step`, () => fleet.map((board) => network.train(board)), FLEET * STEPS);
report(`${FLEET} boards side by side, a board-step`, () => network.trainAll(fleet), FLEET * STEPS);
const many = randomBatch(512, () => false);
report(
  'predict 512 windows',
  () => network.infer({ params: initialParams, prototypes, batch: many, fill: 'pnr', fillTemperature: 0.25 }),
  1,
);
console.log(`tensors: ${before} before, ${network.tensorCount()} after`);

function train(network: Network, batch: Batch, fill: Fill, alignWeight: number): void {
  network.train({ params: initialParams, prototypes, batch, settings: settingsOf(fill, alignWeight) });
}

function settingsOf(fill: Fill, alignWeight: number): TrainSettings {
  return {
    ...DEFAULT_SETTINGS,
    strategy: 'bench',
    learningRate: 0.1,
    localSteps: STEPS,
    windowsPerRound: WINDOWS,
    fill,
    fillTemperature: 0.25,
    alignWeight,
    alignTemperature: 0.2,
    qualityWeights: false,
    modalityWeights: true,
    sendPrototypes: true,
    prototypeBits: 4,
    modelBits: 4,
  };
}

/** Median of `rounds` calls of `body`, each of `steps` steps. */
function report(name: string, body: () => unknown, steps: number): void {
  for (let i = 0; i < 10; i++) body();
  const times = Array.from({ length: rounds }, () => {
    const start = process.hrtime.bigint();
    body();
    return Number(process.hrtime.bigint() - start) / 1e6;
  });
  const median = times.sort((a, b) => a - b)[times.length >> 1] ?? 0;
  console.log(`${name.padEnd(48)} ${median.toFixed(2)} ms a call, ${(median / steps).toFixed(2)} ms a step`);
}

function randomBatch(size: number, isAbsent: (b: number, m: number) => boolean): Batch {
  const rng = createRng('bench');
  const present = Float32Array.from({ length: size * 2 }, (_, i) => (isAbsent(i >> 1, i & 1) ? 0 : 1));
  const inputs = [0, 1].map((m) =>
    Float32Array.from({ length: size * 384 }, (_, i) => rng.normal() * (present[Math.floor(i / 384) * 2 + m] ?? 0)),
  );
  const labels = Int32Array.from({ length: size }, (_, i) => i % spec.classes.length);
  return { size, inputs, present, quality: present, labels };
}

function randomPrototypes(): PrototypeSet {
  const rng = createRng('prototypes');
  const [modalities, classes, dim] = [2, spec.classes.length, spec.embedding];
  const values = Float32Array.from({ length: modalities * classes * dim }, () => rng.normal());
  return { modalities, classes, dim, values, weight: new Float64Array(modalities * classes).fill(1) };
}
