/**
 * A prediction as a fleet makes it: the head's probabilities, weighed with what the prototypes say of each present sensor
 * (`core/qqr/evidence.ts`) and tempered so that confidences mean what they say (`calibration.ts`),
 *   ln p(c) = (ln p_head(c) + α Σ_m ln p_m(c)) / T + const.
 * A sensor that looks bad is not hidden: where the others suffice without it, the prediction with and the one without it are averaged,
 * geometrically (`doubt.ts`). Hiding outright would lose what a noisy sensor still tells.
 * A window without any sensor gets no class at all: "don't know" instead of the head's idle preference.
 */
import { prototypeEvidence } from '../qqr/evidence.ts';
import type { PrototypeSet } from '../qqr/prototype.ts';
import type { Batch } from './batch.ts';
import { withoutDoubted } from './doubt.ts';
import type { InferOutput, Network } from './network.ts';
import type { TrainSettings } from './settings.ts';

export interface PredictInput {
  readonly params: Float32Array;
  readonly prototypes: PrototypeSet;
  /** T; left out: 1, probabilities as they are. */
  readonly temperature?: number;
  readonly batch: Batch;
  readonly settings: PredictSettings;
}

export type PredictSettings = Pick<
  TrainSettings,
  'fill' | 'fillTemperature' | 'evidenceWeight' | 'alignTemperature' | 'gateWeight'
>;

/** `[N, C]` class probabilities; a row of zeros says "don't know". */
export function predict(network: Network, input: PredictInput): Float32Array {
  const { fill, fillTemperature, gateWeight } = input.settings;
  const { params, prototypes } = input;
  const conclude = (batch: Batch) =>
    concluded(network.infer({ params, prototypes, batch, fill, fillTemperature }), { ...input, batch });
  const probabilities = conclude(input.batch);
  const undoubted = gateWeight > 0 ? withoutDoubted(input.batch) : null;
  if (undoubted === null) return probabilities;
  const { rows, batch } = undoubted;
  return withSecondOpinion(probabilities, conclude(batch), rows, gateWeight, prototypes.classes);
}

/** In place: rows[i] becomes p^(1 − weight) · q^weight, to sum 1 again, where q is row i of `second`. */
function withSecondOpinion(
  probabilities: Float32Array,
  second: Float32Array,
  rows: readonly number[],
  weight: number,
  classes: number,
): Float32Array {
  const log = (value: number | undefined) => Math.log(Math.max(value as number, 1e-30));
  const logs = new Float64Array(classes);
  rows.forEach((row, i) => {
    for (let c = 0; c < classes; c++)
      logs[c] = (1 - weight) * log(probabilities[row * classes + c]) + weight * log(second[i * classes + c]);
    softmaxInto(logs, probabilities, row * classes);
  });
  return probabilities;
}

/** The same from what the network has inferred already, as in training. */
export function concluded(
  { probabilities: ofHead, embeddings }: InferOutput,
  { prototypes, temperature = 1, batch: { present }, settings }: Omit<PredictInput, 'params'>,
): Float32Array {
  const { evidenceWeight: weight, alignTemperature } = settings;
  const probabilities = ofHead.slice();
  const { modalities, classes } = prototypes;
  if (weight > 0) {
    const evidence = prototypeEvidence({ embeddings, present, prototypes, temperature: alignTemperature });
    weigh(probabilities, evidence, weight, classes);
  }
  const tempered = temperature === 1 ? probabilities : retempered(probabilities, temperature, classes);
  return withoutIdle(tempered, present, modalities, classes);
}

/** In place: every row times exp(weight · evidence), to sum 1 again. */
function weigh(probabilities: Float32Array, evidence: Float64Array, weight: number, classes: number): void {
  const logs = new Float64Array(classes);
  for (let at = 0; at < probabilities.length; at += classes) {
    for (let c = 0; c < classes; c++) {
      logs[c] = Math.log(Math.max(probabilities[at + c] as number, 1e-30)) + weight * (evidence[at + c] as number);
    }
    softmaxInto(logs, probabilities, at);
  }
}

/** What the probabilities would be at `temperature` times the temperature that they were made with; a copy. */
export function retempered(probabilities: Float32Array, temperature: number, classes: number): Float32Array {
  const out = probabilities.slice();
  const logs = new Float64Array(classes);
  for (let at = 0; at < out.length; at += classes) {
    const row = out.subarray(at, at + classes);
    if (row.every((value) => value === 0)) continue;
    row.forEach((value, c) => {
      logs[c] = Math.log(Math.max(value, 1e-30)) / temperature;
    });
    softmaxInto(logs, out, at);
  }
  return out;
}

function softmaxInto(logs: Float64Array, probabilities: Float32Array, at: number): void {
  const most = Math.max(...logs);
  let total = 0;
  for (const log of logs) total += Math.exp(log - most);
  logs.forEach((log, c) => {
    probabilities[at + c] = Math.exp(log - most) / total;
  });
}

/** In place: rows of windows that have no modality become zeros. */
function withoutIdle(
  probabilities: Float32Array,
  present: Float32Array,
  modalities: number,
  classes: number,
): Float32Array {
  for (let i = 0; i * classes < probabilities.length; i++) {
    if (!present.subarray(i * modalities, (i + 1) * modalities).includes(1))
      probabilities.fill(0, i * classes, (i + 1) * classes);
  }
  return probabilities;
}
