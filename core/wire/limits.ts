/**
 * How large anything on the wire may be, and why. Encoders stay inside, decoders refuse what is outside.
 *
 * Exact sums. The aggregator adds fixed-point integers round(v · 2²²) · weight in float64, which holds integers exactly up
 * to 2⁵³. With |v| ≤ 2⁴ a value takes 26 bits, a weight 14 and the number of boards 13: 26 + 14 + 13 = 53. So no partial
 * sum of a round leaves the exact range, whatever the order of arrival, and sums of two aggregators merge to the same bits.
 * Channel sums of round 0 are multiples of 2⁻¹⁰ below 2³⁰: 10 + 30 + 13 = 53 again.
 */

/** The value of `protocol` in every message; one more whenever a message of before would be understood otherwise. */
export const PROTOCOL = 2;

/** Weights are integers: sixteenths of a window. */
export const WEIGHT_PER_WINDOW = 16;
/** Largest weight in an update, sixteenths. */
export const MAX_WEIGHT = 2 ** 14;
/** Windows that one update may use. */
export const MAX_WINDOWS = MAX_WEIGHT / WEIGHT_PER_WINDOW;
/** Updates that one round may count. */
export const MAX_BOARDS = 2 ** 13;
/** Largest |value| of a model delta or a prototype. A layer-normalized embedding has |z| ≤ √(d − 1) < 16 for d ≤ 256. */
export const MAX_VALUE = 2 ** 4;

/** Channel sums of round 0 are multiples of this … */
export const SUM_RESOLUTION = 2 ** -10;
/** … and no larger than this in magnitude. */
export const MAX_CHANNEL_SUM = 2 ** 30;

/** Windows that a board may claim to hold for later. */
export const MAX_BACKLOG = 2 ** 30;
/** Steps of a window in which boards report how overconfident their predictions were. */
export const CONFIDENCE_UNITS = 2 ** 10;
/** Sum of cross-entropies over a round's windows. */
export const MAX_LOSS_SUM = 2 ** 30;

/** Characters of a fleet's or a board's name. */
export const MAX_NAME_LENGTH = 64;
/** Characters of a modality's, unit's, channel's, class's or strategy's name. */
export const MAX_TEXT_LENGTH = 64;

/** Bounds of what a round plan may ask a board to build. */
export const MAX_MODALITIES = 16;
export const MAX_CHANNELS = 16;
export const MAX_SAMPLES = 2 ** 14;
export const MAX_RATE_HZ = 1e5;
export const MAX_CLASSES = 256;
export const MAX_CONV_LAYERS = 8;
export const MAX_LAYER_SIZE = 2 ** 12;
export const MAX_EMBEDDING = 256;
export const MAX_LOCAL_STEPS = 1000;
export const MAX_MODEL_EVERY = 1000;
/** Rounds that an update may be late by and still count. */
export const MAX_LATE_ROUNDS = 100;

/** Bytes of a message, either way, unless configured otherwise: 12 times the reference model in float32. */
export const MAX_PAYLOAD_BYTES = 2 ** 20;
/** Submessages in one message: a closed round lists at most MAX_BOARDS keys. */
export const MAX_SUBMESSAGES = 2 * MAX_BOARDS;

/** What an aggregator may set for its intake. */
export interface UpdateLimits {
  /** Bytes of one update; checked before anything is parsed. */
  readonly maxPayloadBytes: number;
  /** L2 norm of a dequantized model delta, all groups together. */
  readonly maxDeltaNorm: number;
}

/** A delta of norm 32 is longer than the reference network's whole initial parameter vector: no honest round makes it. */
export const DEFAULT_LIMITS: UpdateLimits = { maxPayloadBytes: MAX_PAYLOAD_BYTES, maxDeltaNorm: 32 };
