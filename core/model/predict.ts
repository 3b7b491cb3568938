/**
 * A prediction as a fleet makes it: the head's probabilities, weighed with what the prototypes say of each present sensor
 * (`core/qqr/evidence.ts`),  ln p(c) = ln p_head(c) + α Σ_m ln p_m(c) + const.
 * A window without any sensor gets no class at all: "don't know" instead of the head's idle preference.
 */
import { prototypeEvidence } from '../qqr/evidence.ts';
import type { PrototypeSet } from '../qqr/prototype.ts';
import type { Batch } from './batch.ts';
import type { Network } from './network.ts';
import type { TrainSettings } from './settings.ts';

export interface PredictInput {
  readonly params: Float32Array;
  readonly prototypes: PrototypeSet;
  readonly batch: Batch;
  readonly settings: PredictSettings;
}

export type PredictSettings = Pick<TrainSettings, 'fill' | 'fillTemperature' | 'evidenceWeight' | 'alignTemperature'>;

/** `[N, C]` class probabilities; a row of zeros says "don't know". */
export function predict(network: Network, { params, prototypes, batch, settings }: PredictInput): Float32Array {
  const { fill, fillTemperature, evidenceWeight, alignTemperature } = settings;
  const { probabilities, embeddings } = network.infer({ params, prototypes, batch, fill, fillTemperature });
  const { present } = batch;
  if (evidenceWeight > 0) {
    const evidence = prototypeEvidence({ embeddings, present, prototypes, temperature: alignTemperature });
    weigh(probabilities, evidence, evidenceWeight, prototypes.classes);
  }
  return withoutIdle(probabilities, present, prototypes.modalities, prototypes.classes);
}

/** In place: every row times exp(weight · evidence), to sum 1 again. */
function weigh(probabilities: Float32Array, evidence: Float64Array, weight: number, classes: number): void {
  const logs = new Float64Array(classes);
  for (let at = 0; at < probabilities.length; at += classes) {
    for (let c = 0; c < classes; c++) {
      logs[c] = Math.log(Math.max(probabilities[at + c] as number, 1e-30)) + weight * (evidence[at + c] as number);
    }
    const most = Math.max(...logs);
    let total = 0;
    for (const log of logs) total += Math.exp(log - most);
    for (let c = 0; c < classes; c++) probabilities[at + c] = Math.exp((logs[c] as number) - most) / total;
  }
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
