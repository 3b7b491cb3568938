/** Small networks, batches and settings for the tests of the network. */
import { createRng, type Rng } from '../../core/math/rng.ts';
import type { Batch } from '../../core/model/batch.ts';
import { DEFAULT_SETTINGS, type TrainSettings } from '../../core/model/settings.ts';
import type { ModelSpec } from '../../core/model/spec.ts';
import type { PrototypeSet } from '../../core/qqr/prototype.ts';

export const settings: TrainSettings = {
  ...DEFAULT_SETTINGS,
  strategy: 'qqr',
  learningRate: 0.1,
  localSteps: 5,
  windowsPerRound: 10,
  fill: 'zero-embedding',
  fillTemperature: 0.25,
  alignWeight: 1,
  alignTemperature: 0.2,
  qualityWeights: false,
  modalityWeights: true,
  sendPrototypes: true,
  prototypeBits: 32,
  modelBits: 32,
};

/** `modalities` of unequal length and channels, three classes, two small convolutions, d = 5. */
export function toySpec(modalities: number): ModelSpec {
  return {
    modalities: Array.from({ length: modalities }, (_, m) => ({
      name: `m${m}`,
      unit: 'mps2',
      channels: ['x', 'y', 'z'].slice(0, 1 + ((m + 1) % 3)),
      sampleRateHz: 10,
      samples: 16 + 3 * m,
    })),
    classes: ['a', 'b', 'c'],
    windowStatistics: true,
    conv: [
      { filters: 4, kernel: 3, stride: 2 },
      { filters: 3, kernel: 3, stride: 1 },
    ],
    embedding: 5,
    hidden: 7,
  };
}

/** Random windows. `absent` lists [window, modality] pairs without data. */
export function toyBatch(spec: ModelSpec, size: number, seed: number, absent: readonly [number, number][] = []): Batch {
  const rng = createRng(seed);
  const count = spec.modalities.length;
  const present = new Float32Array(size * count).fill(1);
  for (const [b, m] of absent) present[b * count + m] = 0;
  return {
    size,
    inputs: spec.modalities.map(({ samples, channels }, m) => {
      const each = samples * channels.length;
      const at = (i: number) => present[Math.floor(i / each) * count + m] as number;
      return Float32Array.from({ length: size * each }, (_, i) => rng.normal() * at(i));
    }),
    present,
    quality: present.map((p) => p * (0.2 + 0.8 * rng.next())),
    labels: Int32Array.from({ length: size }, () => rng.int(spec.classes.length)),
  };
}

/** Random prototypes; `unknown` lists [modality, class] pairs that nobody has seen. */
export function toyPrototypes(spec: ModelSpec, seed: number, unknown: readonly [number, number][] = []): PrototypeSet {
  const rng: Rng = createRng(seed);
  const [modalities, classes, dim] = [spec.modalities.length, spec.classes.length, spec.embedding];
  const values = Float32Array.from({ length: modalities * classes * dim }, () => rng.normal());
  const weight = new Float64Array(modalities * classes).fill(3);
  for (const [m, c] of unknown) {
    weight[m * classes + c] = 0;
    values.fill(Number.NaN, (m * classes + c) * dim, (m * classes + c + 1) * dim); // undefined must not matter
  }
  return { modalities, classes, dim, values, weight };
}
