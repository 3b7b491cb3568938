/** From a fleet's rounds to a trial's flat figures: names as `TrialResult.metrics` documents them. */
import type { Evaluation, RoundRecord } from '../../server/record.ts';
import type { FleetOutcome } from '../replay/fleet.ts';
import { onlineMean } from '../replay/online-mean.ts';
import type { TrialCurves, TrialResult } from './trial.ts';

export type Measured = Pick<TrialResult, 'metrics' | 'curves' | 'rounds'>;

export function measuredOf({ records, sentBytes }: Pick<FleetOutcome, 'records' | 'sentBytes'>): Measured {
  const training = records.filter(({ kind }) => kind === 'training');
  const last = training.findLast(({ evaluation }) => evaluation !== null)?.evaluation ?? null;
  const metrics = { ...accuracyMetrics(last), ...onlineMetrics(training), ...byteMetrics(training, sentBytes) };
  return { rounds: training.length, metrics, curves: curvesOf(training) };
}

/** `degraded` may hold `M`, `M/KIND` and `nothing`: the latter two are named `fault/M/KIND` and `fault/nothing`. */
function accuracyMetrics(evaluation: Evaluation | null): Record<string, number> {
  if (evaluation === null) return {};
  const entries: [string, number][] = [['clean', evaluation.clean]];
  for (const [name, accuracy] of Object.entries(evaluation.missing)) entries.push([`missing/${name}`, accuracy]);
  for (const [name, accuracy] of Object.entries(evaluation.degraded)) {
    const family = name === 'nothing' || name.includes('/') ? 'fault' : 'degraded';
    entries.push([`${family}/${name}`, accuracy]);
  }
  return Object.fromEntries(entries.filter(([, value]) => Number.isFinite(value)).map(([k, v]) => [k, rounded(v)]));
}

function onlineMetrics(training: readonly RoundRecord[]): Record<string, number> {
  const accuracy = onlineMean(training, (score) => score.accuracy);
  if (Number.isNaN(accuracy)) return {};
  return {
    'online/accuracy': rounded(accuracy),
    'online/loss': rounded(onlineMean(training, (score) => score.loss)),
  };
}

function byteMetrics(training: readonly RoundRecord[], sentBytes: number): Record<string, number> {
  const boardRounds = training.reduce((sum, { devices }) => sum + devices.length, 0);
  if (boardRounds === 0) return {};
  const per = (part: keyof RoundRecord['bytes']) =>
    rounded(training.reduce((sum, { bytes }) => sum + bytes[part], 0) / boardRounds);
  return {
    'bytes/prototypes': per('prototypes'),
    'bytes/model': per('model'),
    'bytes/payload': per('payload'),
    'bytes/fp32': per('fp32'),
    'bytes/total': rounded(sentBytes / boardRounds),
  };
}

function curvesOf(training: readonly RoundRecord[]): TrialCurves {
  const curve = (of: (record: RoundRecord) => number | undefined) =>
    training.map((record) => {
      const value = of(record);
      return value === undefined || !Number.isFinite(value) ? null : rounded(value);
    });
  return {
    onlineAccuracy: curve(({ online }) => online?.accuracy),
    onlineLoss: curve(({ online }) => online?.loss),
    clean: curve(({ evaluation }) => evaluation?.clean),
  };
}

/** Seven significant digits: more would only be noise of the machine in the files. */
export function rounded(value: number): number {
  return Number(value.toPrecision(7));
}
