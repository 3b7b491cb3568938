/** The forward pass against the PyTorch reference. */
import { test } from 'node:test';
import { loadBackend } from '../../core/model/backend.ts';
import { createNetwork } from '../../core/model/network-tf.ts';
import { paramLayout } from '../../core/model/params.ts';
import { type ModalitySpec, type ModelSpec, REFERENCE_NETWORK } from '../../core/model/spec.ts';
import { emptyPrototypes } from '../../core/qqr/prototype.ts';
import { assertClose } from './close.ts';
import { settings } from './toy.ts';
import { FORWARD } from './vectors-network.ts';

const tf = await loadBackend();

test('embeddings, logits and probabilities equal the reference within 1e-5', () => {
  const spec = referenceSpec();
  const present = Float32Array.of(1, 1);
  const batch = { size: 1, inputs: inputs(), present, quality: present, labels: Int32Array.of(0) };
  const { embeddings, probabilities } = createNetwork(tf, spec).train({
    params: formulaParams(spec),
    prototypes: emptyPrototypes(2, 6, 32),
    batch,
    settings: { ...settings, localSteps: 1 },
  });
  for (const m of [0, 1]) assertClose(embeddings[m] as Float32Array, FORWARD.embeddings[m] as number[], 1e-5);
  const powers = FORWARD.logits.map(Math.exp);
  const sum = powers.reduce((a, b) => a + b);
  assertClose(
    probabilities,
    powers.map((power) => power / sum),
    1e-5,
  );
  // Softmax forgets a constant: differences of logits are what it keeps.
  const differences = Array.from(probabilities, (p) => Math.log(p / (probabilities[0] as number)));
  assertClose(
    differences,
    FORWARD.logits.map((logit) => logit - (FORWARD.logits[0] as number)),
    1e-5,
  );
});

function referenceSpec(): ModelSpec {
  const modality = (name: string, unit: string): ModalitySpec => ({
    name,
    unit,
    channels: ['x', 'y', 'z'],
    sampleRateHz: 50,
    samples: 128,
  });
  return {
    modalities: [modality('acc', 'mps2'), modality('gyr', 'radps')],
    classes: ['0', '1', '2', '3', '4', '5'],
    ...REFERENCE_NETWORK,
    windowStatistics: false,
  };
}

function formulaParams(spec: ModelSpec): Float32Array {
  const { total, groups } = paramLayout(spec);
  const params = new Float32Array(total);
  for (const { group, tensors } of groups) {
    for (const { name, offset, size } of tensors) {
      const key = group === -1 ? name : `${group}${name}`;
      const phase = [...key].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
      for (let i = 0; i < size; i++) params[offset + i] = 0.15 * Math.sin(1.7 * i + phase);
    }
  }
  return params;
}

function inputs(): Float32Array[] {
  return [0, 3].map((first) =>
    Float32Array.from({ length: 128 * 3 }, (_, i) => {
      const channel = first + (i % 3);
      return Math.sin(0.1 * Math.floor(i / 3) * (channel + 1) + channel);
    }),
  );
}
