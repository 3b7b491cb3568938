import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import type { Window } from '../../core/stream/window.ts';
import { failureSchedule } from '../../core/trace/failure-schedule.ts';
import { FAULT_KINDS } from '../../core/trace/faults.ts';
import {
  degraded,
  type ImbalanceOptions,
  imbalance,
  imbalanceRecording,
  withoutModality,
} from '../../core/trace/imbalance.ts';
import type { Recording } from '../../core/trace/recording.ts';
import { REPLAY_DEFAULTS } from '../../scripts/replay/options.ts';

const B = 10;
const SIGMA = [Float32Array.of(1, 1, 1), Float32Array.of(0.5, 0.5, 0.5)];

function windows(count: number): Window[] {
  const rng = createRng('windows');
  return Array.from({ length: count }, (_, index) => ({
    index,
    tStartUs: index * 3e6,
    label: index % 2 === 0 ? 'sit' : 'walk',
    values: SIGMA.map(() => Float32Array.from({ length: 96 }, () => 5 + rng.normal())),
    completeness: [1, 1],
  }));
}

const options = (
  rates: { missingRate: number; degradedRate: number },
  seed = 1,
): ImbalanceOptions & { blockWindows: number } => {
  const rng = createRng(seed);
  const fleet = { boards: ['ada'], modalities: ['acc', 'gyr'], rng: createRng('fleet') };
  const schedule = failureSchedule({ ...REPLAY_DEFAULTS, ...rates }, fleet, 'ada', rng);
  return { schedule, kinds: FAULT_KINDS, severity: [0.4, 1], acStd: SIGMA, rng, blockWindows: B };
};

test('without imbalance nothing changes', () => {
  const before = windows(40);
  const { windows: after, truth } = imbalance(before, options({ missingRate: 0, degradedRate: 0 }));
  assert.deepEqual(after, before);
  assert.ok(truth.flat().every(({ missing, fault }) => !missing && fault === null));
});

test('rates hold over blocks, modalities are chosen evenly, and a block keeps its choice', () => {
  const { truth } = imbalance(windows(400 * B), options({ missingRate: 0.7, degradedRate: 0.4 }));
  const blocks = Array.from({ length: 400 }, (_, block) => truth.slice(block * B, (block + 1) * B));
  for (const block of blocks) {
    for (const m of [0, 1]) {
      assert.equal(new Set(block.map((of) => of[m]?.missing)).size, 1);
      assert.equal(new Set(block.map((of) => of[m]?.fault === null)).size, 1);
    }
    assert.ok(block.every((of) => of.filter(({ missing }) => missing).length <= 1));
  }
  const share = (m: number, is: (of: (typeof truth)[number], m: number) => boolean) =>
    blocks.filter((block) => is(block[0] as (typeof truth)[number], m)).length / 400;
  for (const m of [0, 1]) {
    assert.ok(Math.abs(share(m, (of) => of[m]?.missing === true) - 0.35) < 0.06);
    // Degraded with 0.2, and then not missing with 0.65.
    assert.ok(Math.abs(share(m, (of) => of[m]?.fault !== null) - 0.13) < 0.05);
  }
});

test('every degraded window has its own kind and severity, and the truth says what was done', () => {
  const before = windows(2 * B);
  const { windows: after, truth } = imbalance(before, options({ missingRate: 0, degradedRate: 1 }));
  const faults = truth.flat().flatMap(({ fault }) => fault ?? []);
  assert.equal(faults.length, 2 * B);
  assert.ok(new Set(faults.map(({ severity }) => severity)).size === 2 * B);
  assert.ok(new Set(faults.map(({ kind }) => kind)).size >= 4);
  truth.forEach((of, i) => {
    of.forEach(({ fault }, m) => {
      const isSame = String(after[i]?.values[m]) === String(before[i]?.values[m]);
      assert.equal(isSame, fault === null);
    });
  });
});

test('a modality that vanished is null with nothing received', () => {
  const { windows: after, truth } = imbalance(windows(3 * B), options({ missingRate: 1, degradedRate: 0 }));
  after.forEach((window, i) => {
    const m = truth[i]?.findIndex(({ missing }) => missing) as number;
    assert.equal(window.values[m], null);
    assert.equal(window.completeness[m], 0);
    assert.notEqual(window.values[1 - m], null);
    assert.equal(window.completeness[1 - m], 1);
  });
});

test('the last modality of a window is never taken', () => {
  const single = windows(B).map((window) => ({
    ...window,
    values: [null, window.values[1] ?? null],
    completeness: [0.3, 1],
  }));
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    const { windows: after, truth } = imbalance(single, options({ missingRate: 1, degradedRate: 0 }, seed));
    assert.ok(after.every(({ values, completeness }) => values[1] !== null && completeness[0] === 0.3));
    assert.ok(truth.every((of) => of[0]?.missing === true && of[1]?.missing === false));
  }
});

test('more windows or another rate of missing shift neither faults nor choices of the others', () => {
  const few = imbalance(windows(5 * B), options({ missingRate: 0, degradedRate: 0.5 }));
  const many = imbalance(windows(9 * B), options({ missingRate: 0, degradedRate: 0.5 }));
  assert.deepEqual(many.windows.slice(0, 5 * B), few.windows);
  const missing = imbalance(windows(5 * B), options({ missingRate: 0.5, degradedRate: 0.5 }));
  missing.truth.forEach((of, i) => {
    of.forEach((own, m) => {
      if (!own.missing) assert.deepEqual(own.fault, few.truth[i]?.[m]?.fault);
    });
  });
});

test('for evaluation a modality is taken from every window, and windows that had no other are left out', () => {
  const before = windows(3);
  const test = [...before, { ...(before[0] as Window), values: [before[0]?.values[0] ?? null, null] }];
  const after = withoutModality(test, 0);
  assert.deepEqual(
    after.map(({ values }) => values),
    before.map(({ values }) => [null, values[1]]),
  );
});

test('for evaluation a modality is degraded in every window that has it, the others are as they were', () => {
  const before = windows(20);
  const after = degraded(before, 1, options({ missingRate: 0, degradedRate: 0 }));
  after.forEach(({ values }, i) => {
    assert.deepEqual(values[0], before[i]?.values[0]);
    assert.notDeepEqual(values[1], before[i]?.values[1]);
  });
});

test('a recording loses or is degraded in whole stretches, and keeps the rest to the bit', () => {
  const count = 5000;
  const tUs = Float64Array.from({ length: count }, (_, i) => i * 20_000);
  const modality = (name: string, seed: string) => {
    const rng = createRng(seed);
    const values = Float32Array.from({ length: 3 * count }, () => 9 + rng.normal());
    return { name, unit: 'mps2', channels: ['x', 'y', 'z'], sampleRateHz: 50, tUs, values };
  };
  const before: Recording = {
    subject: 'ada',
    labels: [{ tUs: 0, label: 'sit' }],
    modalities: [modality('acc', 'a'), modality('gyr', 'g')],
  };
  const settings = { ...options({ missingRate: 0.5, degradedRate: 0.6 }, 3), blockSeconds: 5 };
  const { recording, truth } = imbalanceRecording(before, settings);
  assert.ok(truth.some(({ missing }) => missing) && truth.some(({ fault }) => fault !== null));
  assert.deepEqual(imbalanceRecording(before, { ...settings, rng: createRng(3) }).recording, recording);
  recording.modalities.forEach((after, m) => {
    let at = 0;
    for (let i = 0; i < count; i++) {
      const done = truth.find(
        ({ fromUs, toUs, modality }) => modality === m && i * 20_000 >= fromUs && i * 20_000 < toUs,
      );
      if (done?.missing) continue;
      assert.equal(after.tUs[at], i * 20_000);
      const source = before.modalities[m]?.values.subarray(3 * i, 3 * i + 3);
      if (done === undefined) assert.deepEqual(after.values.subarray(3 * at, 3 * at + 3), source);
      at++;
    }
    assert.equal(after.tUs.length, at);
    for (const { fromUs, toUs, fault } of truth.filter(({ modality, fault }) => modality === m && fault !== null)) {
      const stretch = (of: Float64Array, values: Float32Array) =>
        [...of.keys()].filter((i) => (of[i] as number) >= fromUs && (of[i] as number) < toUs).map((i) => values[3 * i]);
      const source = before.modalities[m] as (typeof before.modalities)[number];
      assert.notDeepEqual(stretch(after.tUs, after.values), stretch(source.tUs, source.values), fault?.kind);
    }
  });
});
