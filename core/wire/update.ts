/**
 * A board's update as plain data: what `messages.ts` encodes and `decode.ts` yields after every check.
 * The proto file is the contract with other languages; these types are its meaning here.
 */
import type { ChannelSums } from '../qqr/normalization.ts';
import type { Why } from '../qqr/quality.ts';
import type { Quantized } from '../quant/affine.ts';
import type { Coded } from '../quant/coded.ts';
import type { Epoch } from './epoch.ts';

export interface ModalityReport {
  /** Windows that had the modality. */
  readonly windowsPresent: number;
  /** Mean quality over the windows that had it, in [0, 1]; 0 when none had. */
  readonly meanQuality: number;
  /** Aggregation weight Σ a·q in sixteenths of a window, an integer ≤ MAX_WEIGHT. */
  readonly weight: number;
  /** Prototypes of the classes seen, or null. */
  readonly prototypes: QuantizedPrototypes | null;
  readonly sums: ChannelSums | null;
  /** What pulled the quality down most in the windows of low quality; null when there were none. */
  readonly why: Why | null;
}

export interface QuantizedPrototypes {
  /** Ascending class indices, k of them. */
  readonly classes: readonly number[];
  /** Per class Σ w in sixteenths of a window, integer ≥ 1. */
  readonly weights: readonly number[];
  /** `[k, d]` row-major. */
  readonly values: Quantized;
}

/** The parameters of one group (one encoder, or the head), each tensor quantized for itself. */
export interface GroupDelta {
  /** Index of the modality, or −1 for the fusion head. */
  readonly group: number;
  /** One per parameter tensor of the group, in the order of the layout. */
  readonly tensors: readonly Quantized[];
}

/** The parameters of some groups in one entropy-coded piece; its vectors are their tensors in the order of the layout. */
export interface CodedModel extends Coded {
  /** As `GroupDelta.group`, at least one, in the order of the layout. */
  readonly groups: readonly number[];
}

export interface Update {
  /** Must equal the device of the topic it came on. */
  readonly device: string;
  readonly round: number;
  /** Grows by one with every update that the board commits. */
  readonly seq: number;
  /** Version of the global model that was trained from. */
  readonly modelVersion: number;
  readonly shapeHash: number;
  /** Windows used by this update. */
  readonly windows: number;
  /** Windows that the board holds for later rounds. */
  readonly backlog: number;
  /** The board's stream has ended and too few windows are left for another round (replays only). */
  readonly ended: boolean;
  /** Predict-then-train over this round's windows. */
  readonly online: {
    readonly correct: number;
    readonly count: number;
    readonly lossSum: number;
    /** Σ (confidence − 1 if right) of whole predictions, in 1/CONFIDENCE_UNITS of a window; an integer, so that a round's sum is exact. */
    readonly overconfidence: number;
  };
  /** One per modality of the spec, in its order. */
  readonly modalities: readonly ModalityReport[];
  /** Empty in round 0, when the model does not travel this round, and beside `coded`. */
  readonly model: readonly GroupDelta[];
  /** The same in fewer bytes, or null. */
  readonly coded: CodedModel | null;
  /** Of the plan that it answers; left out: that did not say. */
  readonly epoch?: Epoch;
}

/** Why the aggregator does not count an update. Closed: dashboards and counters enumerate it. */
export const REJECT_REASONS = [
  'too-large',
  'malformed',
  'wrong-protocol',
  'wrong-device',
  'wrong-epoch',
  'wrong-shape',
  'wrong-round',
  'wrong-version',
  'not-finite',
  'out-of-range',
  'norm-too-large',
  'late',
  'rate-limited',
  'too-many-boards',
] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];
