/** How boards train and what they send: chosen by the aggregator's strategy, broadcast with every round. */

/** What stands in for a missing modality's embedding, in training and at prediction alike. */
export type Fill =
  /** A window of zeros (= the mean, after normalization) goes through the encoder. */
  | 'zero-input'
  /** The zero vector. */
  | 'zero-embedding'
  /** PNR, docs/algorithm.md §4. */
  | 'pnr'
  /** The prototype of the true class in training (PMM); at prediction, where there is no label, as 'pnr'. */
  | 'label';

/** How embeddings are drawn to their class's prototype. */
export type AlignLoss =
  /** PLR, docs/algorithm.md §5: towards the own class's, away from the others'. */
  | 'contrastive'
  /** FedProto: squared distance to the own class's. */
  | 'distance';

/** How the values of a model delta become codes (docs/algorithm.md §9). 32 bits are float32 whatever this says, but for 'sign'. */
export type ModelCode =
  /** Uniform between the extremes of each tensor, back to back without entropy coding. */
  | 'packed'
  /** The same values, entropy-coded. */
  | 'affine'
  /** As 'affine', rounded up or down at random, right on average. */
  | 'stochastic'
  /** One bit, whatever `modelBits`: the sign, times the mean magnitude. */
  | 'sign';

export type PrototypeCode = 'affine' | 'stochastic';

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
  readonly alignLoss: AlignLoss;
  /** λ of the alignment; 0 switches it off. */
  readonly alignWeight: number;
  /** τ of PLR. */
  readonly alignTemperature: number;
  /** α: what the prototypes' evidence counts beside the head at prediction (`predict.ts`); 0: nothing. */
  readonly evidenceWeight: number;
  /**
   * γ in [0, 1]: what a prediction without the sensors that look bad counts beside the one with them (`predict.ts`); 0: nothing,
   * 1: they are hidden outright.
   */
  readonly gateWeight: number;
  /** μ of FedProx: the pull of every step back to the broadcast parameters; 0 switches it off. */
  readonly proximalWeight: number;
  /** Share of the windows that have a self-inflicted fault in one sensor, in every local step but the first, in [0, 1]. */
  readonly rehearseFaults: number;
  /** Share of the windows that are seen as if the board had been worn differently, likewise. */
  readonly rehearseWearing: number;
  /** Share of the windows that lose one of their modalities, likewise. */
  readonly rehearseMissing: number;
  /**
   * Unlabelled windows teach too, as the class that the prototypes take them for with at least this confidence, in (0, 1]
   * (`core/qqr/pseudo-label.ts`); 0: boards pass over them.
   */
  readonly pseudoLabels: number;
  /**
   * n₀: windows that the fleet's prototypes count for beside the board's own when it predicts its own stream
   * (`core/qqr/personal.ts`); 0: boards have none of their own.
   */
  readonly personalPrior: number;
  /** n₀: windows that the fleet's input scale counts for beside the board's own (`core/qqr/board-normalization.ts`); 0: all have the fleet's. */
  readonly scalePrior: number;
  /** Train on windows that have every modality only. */
  readonly dropIncomplete: boolean;
  /** Boards send their model and start from the fleet's; otherwise each keeps its own and only prototypes travel, if at all. */
  readonly shareModel: boolean;
  /** Weigh prototypes and aggregation by quality; otherwise a present modality counts fully. */
  readonly qualityWeights: boolean;
  /** Encoder m is averaged over the boards that had modality m only, and the others do not send it. */
  readonly modalityWeights: boolean;
  /** Boards send prototypes. */
  readonly sendPrototypes: boolean;
  /** Bits of a prototype value on the wire, 1–8, or 32 for float32. */
  readonly prototypeBits: number;
  /** Bits of a model delta's value on the wire, 1–8, or 32 for float32; 1 only as `isStableCode` has it. */
  readonly modelBits: number;
  readonly modelCode: ModelCode;
  readonly prototypeCode: PrototypeCode;
  /** Share of a model delta's values that travels, the largest by magnitude, in (0, 1]; the others wait in the residual. */
  readonly modelShare: number;
  /** The model delta travels in rounds that are a multiple of this, 1–1000; what is learned in between waits in the residual. */
  readonly modelEvery: number;
}

/** Whether a part of the delta may travel without the rest: codes of up to 8 bits only tell where they belong, and not 'packed'. */
export function canBeSparse({ modelCode, modelBits }: Pick<TrainSettings, 'modelCode' | 'modelBits'>): boolean {
  return modelCode === 'sign' || (modelCode !== 'packed' && modelBits <= 8);
}

/**
 * Whether what a code leaves out stays bounded when it is added to the next change (error feedback). Dense 1-bit codes between a
 * tensor's extremes are wrong by up to the whole range, so what is owed grows without end; every other code is wrong by less than it is given.
 */
export function isStableCode({
  modelCode,
  modelBits,
  modelShare,
}: Pick<TrainSettings, 'modelCode' | 'modelBits' | 'modelShare'>): boolean {
  return modelBits > 1 || modelCode === 'sign' || modelShare < 1;
}

/** Plain federated averaging; strategies and tests say what they do otherwise. */
export const DEFAULT_SETTINGS: TrainSettings = {
  strategy: 'fedavg',
  learningRate: 0.1,
  localSteps: 5,
  windowsPerRound: 10,
  fill: 'zero-input',
  fillTemperature: 0.25,
  alignLoss: 'contrastive',
  alignWeight: 0,
  alignTemperature: 0.2,
  evidenceWeight: 0,
  gateWeight: 0,
  proximalWeight: 0,
  rehearseFaults: 0,
  rehearseMissing: 0,
  rehearseWearing: 0,
  pseudoLabels: 0,
  personalPrior: 0,
  scalePrior: 0,
  dropIncomplete: false,
  shareModel: true,
  qualityWeights: false,
  modalityWeights: false,
  sendPrototypes: false,
  prototypeBits: 4,
  modelBits: 32,
  modelCode: 'affine',
  prototypeCode: 'affine',
  modelShare: 1,
  modelEvery: 1,
};
