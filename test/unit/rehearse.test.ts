/** Rehearsal: how much of which window, never the last sensor, the same after a restart, and nothing when it is off. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rehearsals } from '../../agent/learn/rehearse.ts';
import { createRng } from '../../core/math/rng.ts';
import { type Batch, type BatchWindow, makeBatch } from '../../core/model/batch.ts';
import { DEFAULT_SETTINGS, type TrainSettings } from '../../core/model/settings.ts';
import { toySpec } from '../golden/toy.ts';

const spec = toySpec(2);
const SIZE = 40;
const NORMALIZATION = {
  mean: spec.modalities.map(({ channels }) => new Float32Array(channels.length)),
  std: spec.modalities.map(({ channels }) => new Float32Array(channels.length).fill(1)),
};
const toBatch = (windows: readonly BatchWindow[]): Batch => makeBatch(windows, spec, NORMALIZATION);

/** Every fourth window lacks modality 0. */
function windows(): BatchWindow[] {
  const rng = createRng('windows');
  return Array.from({ length: SIZE }, (_, i) => ({
    values: spec.modalities.map(({ samples, channels }, m) =>
      m === 0 && i % 4 === 0 ? null : Float32Array.from({ length: samples * channels.length }, () => rng.normal()),
    ),
    quality: [1, 1],
    label: i % 3,
  }));
}

function rehearsed(settings: Partial<TrainSettings>, seed = 'board'): Batch[] {
  const all = { ...DEFAULT_SETTINGS, ...settings };
  return rehearsals(windows(), spec, all, toBatch, createRng(seed));
}

/** Windows of `batch` whose samples of modality `m` are not as they came. */
function changed(batch: Batch, m: number): number[] {
  const plain = toBatch(windows());
  const each = (plain.inputs[m]?.length ?? 0) / SIZE;
  const of = (all: Batch, i: number) => all.inputs[m]?.subarray(i * each, (i + 1) * each);
  return Array.from({ length: SIZE }, (_, i) => i).filter((i) => String(of(batch, i)) !== String(of(plain, i)));
}

test('a window that is worn differently keeps its label and its sensors', () => {
  const [first] = rehearsed({ rehearseWearing: 1 });
  const plain = toBatch(windows());
  assert.deepEqual([first?.present, first?.labels], [plain.present, plain.labels]);
  assert.equal(changed(first as Batch, 1).length, SIZE);
  const [half] = rehearsed({ rehearseWearing: 0.5 });
  const share = changed(half as Batch, 1).length / SIZE;
  assert.ok(share > 0.25 && share < 0.75, String(share));
});

test('nothing to rehearse is no batch at all', () => {
  assert.deepEqual(rehearsed({ rehearseFaults: 0, rehearseMissing: 0 }), []);
});

test('every step but the first has a batch of its own, of the same size and labels', () => {
  const plain = toBatch(windows());
  const batches = rehearsed({ rehearseFaults: 0.5, rehearseMissing: 0.5, localSteps: 5 });
  assert.equal(batches.length, 4);
  for (const { size, labels } of batches) assert.deepEqual([size, labels], [SIZE, plain.labels]);
  const first = batches[0] as Batch;
  for (const other of batches.slice(1)) {
    assert.notDeepEqual(other.inputs, first.inputs);
    assert.notDeepEqual(other.present, first.present);
  }
});

test('a share of the windows gets a fault in one sensor that is there, the others stay', () => {
  const batches = rehearsed({ rehearseFaults: 0.5, localSteps: 11 });
  let faulty = 0;
  for (const batch of batches) {
    const [acc, gyr] = [changed(batch, 0), changed(batch, 1)];
    assert.ok(acc.every((i) => i % 4 !== 0 && !gyr.includes(i)));
    assert.deepEqual(batch.present, toBatch(windows()).present);
    faulty += acc.length + gyr.length;
  }
  // Of the windows that lack a modality, half of the faults would be in what is not there.
  const wanted = 10 * SIZE * 0.5 * (1 - 0.25 / 2);
  assert.ok(Math.abs(faulty - wanted) < 50, `${faulty} faults, ${wanted} wanted`);
});

test('a share of the windows loses one modality from the head, never the last, and alignment still sees it', () => {
  const plain = toBatch(windows());
  for (const batch of rehearsed({ fill: 'zero-embedding', rehearseMissing: 1, localSteps: 4 })) {
    assert.deepEqual(batch.inputs, plain.inputs);
    assert.deepEqual(batch.sensed, plain.present);
    for (let i = 0; i < SIZE; i++) {
      const [acc, gyr] = batch.present.subarray(2 * i, 2 * i + 2);
      assert.equal((acc as number) + (gyr as number), 1, `window ${i}`);
      if (i % 4 === 0) assert.equal(gyr, 1);
    }
    const gone = [0, 1].map((m) => batch.present.filter((value, i) => i % 2 === m && value === 0).length);
    assert.ok((gone[0] as number) > 15 && (gone[1] as number) > 5, `${gone}: either may go`);
  }
  const some = rehearsed({ rehearseMissing: 0.3, localSteps: 11 });
  const lost = some.reduce((sum, { present }) => sum + present.filter((value) => value === 0).length - SIZE / 4, 0);
  assert.ok(Math.abs(lost - 10 * SIZE * 0.75 * 0.3) < 40, `${lost}`);
});

test('where a missing modality is a window of zeros, so is a hidden one, for alignment too', () => {
  const plain = toBatch(windows());
  for (const batch of rehearsed({ fill: 'zero-input', rehearseMissing: 1, localSteps: 4 })) {
    assert.equal(batch.sensed, undefined);
    for (const [m, input] of batch.inputs.entries()) {
      const each = input.length / SIZE;
      for (let i = 0; i < SIZE; i++) {
        const shown = input.subarray(i * each, (i + 1) * each);
        const own = plain.inputs[m]?.subarray(i * each, (i + 1) * each);
        assert.deepEqual(shown, batch.present[2 * i + m] === 1 ? own : new Float32Array(each), `window ${i}, ${m}`);
      }
    }
  }
});

test('a board rehearses the same after a restart, and another board something else', () => {
  const settings = { rehearseFaults: 0.2, rehearseMissing: 0.3 };
  assert.deepEqual(rehearsed(settings), rehearsed(settings));
  assert.notDeepEqual(rehearsed(settings, 'other')[0], rehearsed(settings)[0]);
});

test('the windows themselves stay as they came', () => {
  const own = windows();
  rehearsals(own, spec, { ...DEFAULT_SETTINGS, rehearseFaults: 1, rehearseMissing: 1 }, toBatch, createRng(1));
  assert.deepEqual(own, windows());
});
