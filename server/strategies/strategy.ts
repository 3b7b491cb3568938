/**
 * A strategy says how boards train, what they send, and how much each of them counts: data, plus the weights that follow from it.
 * Averaging itself is exact integer arithmetic in `core/qqr/aggregate.ts` and the same for all.
 * Weights: docs/algorithm.md §4, modality-weighted aggregation: encoder m over the boards that had modality m, the head over all.
 */
import type { TrainSettings } from '../../core/model/settings.ts';
import { WEIGHT_PER_WINDOW } from '../../core/wire/limits.ts';
import type { Update } from '../../core/wire/update.ts';
import type { Guard } from './guard.ts';
import type { ServerStep } from './server-step.ts';

export interface Strategy {
  /** One line for people. */
  readonly description: string;
  /** Broadcast with every round; `settings.strategy` is the strategy's name. */
  readonly settings: TrainSettings;
  /** β of the persistent prototypes, in [0, 1): what a round leaves of the prototypes before it. */
  readonly prototypeMemory: number;
  /** η of the aggregator's step, in [0, 1]; 0 = plain averaging, whatever the step. */
  readonly serverRate: number;
  /** How the model moves by a round's mean change. FedAdam unless the strategy is about another. */
  readonly serverStep: ServerStep;
  /** β of the averaged parameters that predictions are made with, in [0, 1); 0 = the last model. The same for all unless set. */
  readonly modelMemory: number;
  /** An update that is k rounds late counts 1 / (1 + k) to this power, where late ones count at all; ≥ 0. */
  readonly lateExponent: number;
  /** Against hostile and broken boards. The same for all unless set. */
  readonly guard: Guard;
}

/** How much an update counts: integers, sixteenths of a window. */
export interface GroupWeights {
  readonly head: number;
  /** One per modality. */
  readonly encoders: readonly number[];
}

export function weightsOf(update: Update, settings: TrainSettings): GroupWeights {
  const head = headWeight(update, settings);
  const encoders = update.modalities.map((report) => (settings.modalityWeights ? report.weight : head));
  return { head, encoders };
}

/**
 * What is left of a weight of an update `lateBy` rounds late (polynomial staleness: Xie et al., "Asynchronous federated
 * optimization", 2019): w / (1 + lateBy)^exponent, a whole number and never silenced. A weight of 0 stays 0.
 */
export function weightWhenLate(weight: number, lateBy: number, exponent: number): number {
  if (lateBy <= 0 || weight === 0) return weight;
  return Math.max(1, Math.round(weight / (1 + lateBy) ** exponent));
}

/**
 * Windows used; with pseudo-labels or dropped windows times the share that taught, with quality weights times the mean quality of what was present:
 * both are in the reports' weights. A board that trained is never silenced: ≥ 1.
 */
function headWeight(update: Update, { qualityWeights, pseudoLabels, dropIncomplete }: TrainSettings): number {
  const full = update.windows * WEIGHT_PER_WINDOW;
  if (!qualityWeights && pseudoLabels === 0 && !dropIncomplete) return full;
  const present = update.modalities.reduce((sum, report) => sum + report.windowsPresent, 0);
  const weighed = update.modalities.reduce((sum, report) => sum + report.weight, 0);
  if (present === 0) return full;
  // A window that taught had every modality there: the mean over modalities is exact, and incomplete windows do not blur it.
  const weight = dropIncomplete ? weighed / update.modalities.length : (update.windows * weighed) / present;
  return Math.max(1, Math.min(full, Math.round(weight)));
}
