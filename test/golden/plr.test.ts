/** PLR's loss and gradient against the PyTorch reference. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadBackend } from '../../core/model/backend.ts';
import { createKernels } from '../../core/model/kernels.ts';
import { type AlignInput, planAlign } from '../../core/qqr/align.ts';
import type { PrototypeSet } from '../../core/qqr/prototype.ts';
import { assertClose } from './close.ts';
import { PLR } from './vectors-network.ts';

const tf = await loadBackend();
const k = createKernels(tf);

const prototypes: PrototypeSet = {
  modalities: 1,
  classes: 3,
  dim: 4,
  values: Float32Array.from(PLR.prototypes.flat()),
  weight: new Float64Array(3).fill(1),
};
const batch: Omit<AlignInput, 'prototypes' | 'gain'> = {
  size: 2,
  present: Float32Array.of(1, 1),
  labels: Int32Array.from(PLR.labels),
};

/** Losses where they count, and the gradient of their mean; null when none counts. */
function alignment(set: PrototypeSet, input: typeof batch) {
  const results: { losses: Float32Array; gradient: Float32Array }[] = [];
  tf.tidy(() => {
    const plan = planAlign(k, [{ ...input, prototypes: set, gain: 1 / input.size }], PLR.temperature);
    if (plan === null) return;
    const { losses, gradient } = plan.apply(k.constant(Float32Array.from(PLR.z.flat()), [1, 2, 4]));
    const counted = losses.dataSync<'float32'>().map((loss, i) => loss * (plan.counts[i] as number));
    results.push({ losses: counted, gradient: gradient.dataSync<'float32'>() });
  });
  return results[0] ?? null;
}

test('losses and the gradient of their mean equal the reference', () => {
  const got = alignment(prototypes, batch);
  assert.ok(got !== null);
  // The gradient's last component is rounding noise of 1e-8 in the reference and 0 here.
  assertClose(got.losses, PLR.losses, 1e-5);
  assertClose(got.gradient, PLR.gradientOfMean.flat(), 1e-5);
});

test('windows without the modality, or with a label that has no prototype, do not count', () => {
  const absent = alignment(prototypes, { ...batch, present: Float32Array.of(1, 0) });
  const unseen = alignment({ ...prototypes, weight: Float64Array.of(1, 1, 0) }, batch);
  for (const got of [absent, unseen]) {
    assert.ok(got !== null);
    assert.equal(got.losses[1], 0);
    assert.deepEqual([...got.gradient.subarray(4)].map(Math.abs), [0, 0, 0, 0]);
    assert.ok((got.gradient[0] as number) < 0);
  }
});

test('a class without a prototype is no candidate', () => {
  // Window 0 against classes 0 and 1 only: the distances are those of the reference's prototypes.
  const got = alignment({ ...prototypes, weight: Float64Array.of(1, 1, 0) }, { ...batch, labels: Int32Array.of(0, 0) });
  const distance = (c: number) =>
    PLR.z[0]?.reduce((sum, v, i) => sum + (v - (PLR.prototypes[c]?.[i] ?? 0)) ** 2, 0) ?? 0;
  const expected = Math.log(1 + Math.exp((distance(0) - distance(1)) / (4 * PLR.temperature)));
  assertClose([got?.losses[0] as number], [expected], 1e-6);
});

test('there is no plan when no window counts', () => {
  assert.equal(alignment({ ...prototypes, weight: new Float64Array(3) }, batch), null);
  assert.equal(alignment(prototypes, { ...batch, present: new Float32Array(2) }), null);
});
