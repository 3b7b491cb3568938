/** Under what circumstances accuracy was measured: all sensors healthy, one taken away, one degraded. */
import type { Evaluation } from '../../server/record.ts';
import type { RunResult, Summary } from '../replay/run-result.ts';

export interface Condition {
  /** Stable and unique: `clean`, `missing-acc`, `degraded-gyr`. */
  readonly key: string;
  /** For a column of text: `without acc`. */
  readonly label: string;
  /** For a page: `without accelerometer`. */
  readonly longLabel: string;
  /** Final accuracy of a run; undefined when it was not measured. */
  summaryOf(run: RunResult): Summary | undefined;
  /** Accuracy after a round; undefined when it was not measured. */
  accuracyIn(evaluation: Evaluation): number | undefined;
}

const MODALITY_NAMES: Readonly<Record<string, string>> = {
  acc: 'accelerometer',
  gyr: 'gyroscope',
  mag: 'magnetometer',
};

/** What people call a modality; its own name when there is no better one. */
export function modalityName(name: string): string {
  return Object.hasOwn(MODALITY_NAMES, name) ? (MODALITY_NAMES[name] ?? name) : name;
}

/** All modalities of the runs, in order of appearance. */
export function modalitiesOf(runs: readonly RunResult[]): string[] {
  return [...new Set(runs.flatMap((run) => run.modalities))];
}

/** The conditions that at least one of the runs was measured under: clean, then missing, then degraded. */
export function conditionsOf(runs: readonly RunResult[]): Condition[] {
  const modalities = modalitiesOf(runs);
  const all = [CLEAN, ...modalities.map(missing), ...modalities.map(degraded)];
  return all.filter((condition) => runs.some((run) => condition.summaryOf(run) !== undefined));
}

const CLEAN: Condition = {
  key: 'clean',
  label: 'all sensors healthy',
  longLabel: 'all sensors healthy',
  summaryOf: (run) => run.accuracy.clean,
  accuracyIn: (evaluation) => evaluation.clean,
};

function missing(modality: string): Condition {
  return {
    key: `missing-${modality}`,
    label: `without ${modality}`,
    longLabel: `without ${modalityName(modality)}`,
    summaryOf: (run) => run.accuracy.missing[modality],
    accuracyIn: (evaluation) => evaluation.missing[modality],
  };
}

function degraded(modality: string): Condition {
  return {
    key: `degraded-${modality}`,
    label: `degraded ${modality}`,
    longLabel: `${modalityName(modality)} degraded`,
    summaryOf: (run) => run.accuracy.degraded[modality],
    accuracyIn: (evaluation) => evaluation.degraded[modality],
  };
}
