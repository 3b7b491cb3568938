/** One closed round as it is logged (a JSON line), stored and drawn. */

/** Accuracy in [0, 1] on held-out windows, per condition. */
export interface Evaluation {
  readonly clean: number;
  /** By modality name: that modality taken away from every test window. */
  readonly missing: Readonly<Record<string, number>>;
  /** By modality name: that modality degraded in every test window. */
  readonly degraded: Readonly<Record<string, number>>;
  /**
   * Expected calibration error on the clean windows, in [0, 1] (`core/model/calibration.ts`): of the probabilities as they come, and
   * as they are served, at the fleet's temperature. Not in records of older versions.
   */
  readonly calibration?: { readonly untempered: number; readonly served: number };
}

export interface OnlineScore {
  /** In [0, 1]. */
  readonly accuracy: number;
  /** Mean cross-entropy. */
  readonly loss: number;
  /** Predictions that both are means of: labelled windows. Not in records of older versions. */
  readonly count?: number;
}

/** What a counted update said of its board. */
export interface BoardReport {
  readonly device: string;
  /** Milliseconds after the round's opening; null when it was counted before a restart. */
  readonly arrivedMs: number | null;
  /** Windows used, and held for later. */
  readonly windows: number;
  readonly backlog: number;
  readonly online: { readonly correct: number; readonly count: number; readonly lossSum: number };
  /** In the model's order. */
  readonly modalities: readonly ModalityQuality[];
}

export interface ModalityQuality {
  readonly windowsPresent: number;
  /** Mean over the windows that had it, in [0, 1]; null when none had. */
  readonly quality: number | null;
  /** The measure that pulled it down most (docs/quality.md), or null. */
  readonly why: string | null;
}

export interface RoundRecord {
  readonly round: number;
  readonly kind: 'statistics' | 'training';
  /** Version of the global model that the round produced. */
  readonly version: number;
  /** Devices counted, sorted. */
  readonly devices: readonly string[];
  /** Updates of earlier rounds that came late and were counted in this one, sorted by device; left out when there are none. */
  readonly late?: readonly { readonly device: string; readonly round: number }[];
  /** Rejections while the round was open, by reason; only reasons that occurred. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Devices whose model change was scaled down before it counted, sorted; left out when there are none. */
  readonly clipped?: readonly string[];
  readonly durationMs: number;
  /** Sums over the counted updates, bytes: encoded prototypes, encoded model delta, whole payload, and what the same content takes as float32. */
  readonly bytes: {
    readonly prototypes: number;
    readonly model: number;
    readonly payload: number;
    readonly fp32: number;
  };
  /** By modality name: mean quality over windows that had it (null: none had), and share of windows without it. */
  readonly modalities: Readonly<Record<string, { readonly meanQuality: number | null; readonly missingShare: number }>>;
  /** Predict-then-train over the round's windows. Null in round 0, and when nothing was predicted. */
  readonly online: OnlineScore | null;
  readonly evaluation: Evaluation | null;
}
