/**
 * What one replayed configuration came to: several seeds of the same run, summarized, with every round kept.
 * It is what the replay command returns, `--json` prints and the report draws.
 * Invariant: a `Summary` is over at least one value, in the order of `seeds`. Only finite numbers, so that it survives JSON.
 */
import type { RoundRecord } from '../../server/record.ts';

/** A quantity measured once per seed. */
export interface Summary {
  readonly mean: number;
  /** Sample standard deviation (n − 1); 0 for a single value. */
  readonly std: number;
  /** One value per seed that measured it; never empty. */
  readonly values: readonly number[];
}

/** How the recordings were made worse before they were played. */
export interface Imbalance {
  /** Share of (board, round) pairs in which one modality is absent, in [0, 1]. */
  readonly missingRate: number;
  /** Share of (board, round) pairs in which one modality carries a fault, in [0, 1]. */
  readonly degradedRate: number;
  /** Kinds of fault injected, e.g. `noise`, `drift`, `stuck`. */
  readonly kinds: readonly string[];
}

/** Bytes per board and round, means over boards, training rounds and seeds. */
export interface BoardRoundBytes {
  /** Encoded prototypes submessage. */
  readonly prototypes: number;
  /** Encoded model delta submessage. */
  readonly model: number;
  /** On the socket: every packet from connecting on, round 0 included, over training rounds. */
  readonly total: number;
  /** The same model delta and prototypes as raw float32. */
  readonly fp32: number;
}

/** Every round of one seed, in order. */
export interface SeedRun {
  readonly seed: number;
  readonly records: readonly RoundRecord[];
  /** SHA-256 of the last global model and prototypes: equal exactly when every bit is. Left out where nothing was trained here. */
  readonly digest?: string;
}

export interface RunResult {
  /** Unique among the runs of a report; names the run everywhere. */
  readonly title: string;
  readonly strategy: string;
  /** TensorFlow backend that trained, e.g. `tensorflow`. */
  readonly backend: string;
  readonly seeds: readonly number[];
  readonly dataSet: string;
  readonly imbalance: Imbalance;
  readonly boards: number;
  readonly rounds: number;
  /** Modality names in the spec's order. */
  readonly modalities: readonly string[];
  /** In [0, 1], on windows of unseen subjects after the last round; by modality name, `degraded` also by further test faults (`acc/stuck`, `nothing`). */
  readonly accuracy: {
    readonly clean: Summary;
    readonly missing: Readonly<Record<string, Summary>>;
    readonly degraded: Readonly<Record<string, Summary>>;
  };
  /** Prequential (predict, then train) accuracy over the whole stream, in [0, 1]. */
  readonly online: Summary;
  /** By modality name: mean quality in [0, 1] over the windows that had it; a modality that no window had is left out. */
  readonly meanQuality: Readonly<Record<string, Summary>>;
  readonly bytes: { readonly perBoardRound: BoardRoundBytes };
  readonly perSeed: readonly SeedRun[];
  /** Wall time of all seeds together, seconds. */
  readonly durationS: number;
  /** Source revision, when known. */
  readonly commit?: string;
}

/** Mean and sample standard deviation, two-pass in the order given. At least one finite value: anything else is a defect. */
export function summarize(values: readonly number[]): Summary {
  if (values.length === 0 || !values.every(Number.isFinite)) {
    throw new RangeError('a summary needs at least one value, all of them finite');
  }
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: values.length === 1 ? 0 : Math.sqrt(squares / (values.length - 1)), values: [...values] };
}
