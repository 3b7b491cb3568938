/**
 * What an unlabelled window may be taught as: the class that the prototypes find most probable, when they are sure enough.
 *   p(c) ∝ exp Σ_m ln p_m(c)   over the present modalities (`evidence.ts`)
 * Plain arithmetic, no TensorFlow.
 */
import { type EvidenceInput, prototypeEvidence } from './evidence.ts';
import type { PrototypeSet } from './prototype.ts';

/**
 * `[N]` class indices; −1 where nothing is present, where the most probable class has less than `leastConfidence`, or where no
 * present modality has a prototype of it: a class that the fleet has not seen cannot be recognized.
 * @param leastConfidence in (0, 1]
 */
export function pseudoLabels(input: EvidenceInput, leastConfidence: number): Int32Array {
  const { modalities, classes } = input.prototypes;
  const evidence = prototypeEvidence(input); // [N, C]
  const labels = new Int32Array(evidence.length / classes).fill(-1);
  for (let i = 0; i < labels.length; i++) {
    const row = evidence.subarray(i * classes, (i + 1) * classes);
    const best = row.indexOf(Math.max(...row));
    const present = input.present.subarray(i * modalities, (i + 1) * modalities);
    if (isKnown(best, present, input.prototypes) && confidenceIn(row, best) >= leastConfidence) labels[i] = best;
  }
  return labels;
}

function isKnown(c: number, present: Float32Array, { classes, weight }: PrototypeSet): boolean {
  return present.some((here, m) => here === 1 && (weight[m * classes + c] as number) > 0);
}

/** Share of class `c` in the softmax of `evidence`. */
function confidenceIn(evidence: Float64Array, c: number): number {
  const own = evidence[c] as number;
  return 1 / evidence.reduce((sum, other) => sum + Math.exp(other - own), 0);
}
