/** How boards train and what they send: chosen by the aggregator's strategy, broadcast with every round. */

/** What stands in for a missing modality's embedding, in training and at prediction alike. */
export type Fill =
  /** A window of zeros (= the mean, after normalization) goes through the encoder. */
  | 'zero-input'
  /** The zero vector. */
  | 'zero-embedding'
  /** PNR, docs/algorithm.md §4. */
  | 'pnr';

export interface TrainSettings {
  readonly strategy: string;
  /** SGD step size. */
  readonly learningRate: number;
  /** E: gradient steps over a round's windows. */
  readonly localSteps: number;
  /** B: windows that one round uses. */
  readonly windowsPerRound: number;
  readonly fill: Fill;
  /** τ_s of PNR. */
  readonly fillTemperature: number;
  /** λ of PLR; 0 switches it off. */
  readonly alignWeight: number;
  /** τ of PLR. */
  readonly alignTemperature: number;
  /** Weigh prototypes and aggregation by quality; otherwise a present modality counts fully. */
  readonly qualityWeights: boolean;
  /** Encoder m is averaged over the boards that had modality m only, and the others do not send it. */
  readonly modalityWeights: boolean;
  /** Boards send prototypes. */
  readonly sendPrototypes: boolean;
  /** Bits of a prototype value on the wire, 1–8, or 32 for float32. */
  readonly prototypeBits: number;
  /** Bits of a model delta's value on the wire, 1–8, or 32 for float32. */
  readonly modelBits: number;
}
