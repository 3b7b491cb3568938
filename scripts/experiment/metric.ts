/** What a metric's name means to a reader: label, unit, which way is better. Names as `TrialResult.metrics` and its curves have them. */
import { modalityName } from '../report/condition.ts';
import { formatBytes } from '../report/summary-rows.ts';

export interface Metric {
  readonly key: string;
  readonly label: string;
  readonly unit: 'percent' | 'bytes' | 'number';
  readonly isHigherBetter: boolean;
}

const KNOWN: Readonly<Record<string, Omit<Metric, 'key'>>> = {
  'clean': { label: 'all sensors healthy', unit: 'percent', isHigherBetter: true },
  'online/accuracy': { label: 'predict, then train', unit: 'percent', isHigherBetter: true },
  'online/loss': { label: 'loss before training', unit: 'number', isHigherBetter: false },
  'onlineAccuracy': { label: 'predict, then train', unit: 'percent', isHigherBetter: true },
  'onlineLoss': { label: 'loss before training', unit: 'number', isHigherBetter: false },
  'bytes/total': { label: 'everything on the socket', unit: 'bytes', isHigherBetter: false },
  'bytes/payload': { label: 'updates', unit: 'bytes', isHigherBetter: false },
  'bytes/model': { label: 'model changes', unit: 'bytes', isHigherBetter: false },
  'bytes/prototypes': { label: 'prototypes', unit: 'bytes', isHigherBetter: false },
  'bytes/fp32': { label: 'the same content as float32', unit: 'bytes', isHigherBetter: false },
  'regret/exponent': { label: 'exponent of regret', unit: 'number', isHigherBetter: false },
  'regret/per-window': { label: 'regret per window, nats', unit: 'number', isHigherBetter: false },
  'regret/total': { label: 'regret, nats', unit: 'number', isHigherBetter: false },
  'fault/nothing': { label: 'no modality at all', unit: 'percent', isHigherBetter: true },
};

export function metricOf(key: string): Metric {
  const known = Object.hasOwn(KNOWN, key) ? KNOWN[key] : undefined;
  if (known !== undefined) return { key, ...known };
  const [family = '', modality = '', ...fault] = key.split('/');
  const name = modalityName(modality);
  const accuracy = { key, unit: 'percent', isHigherBetter: true } as const;
  if (family === 'missing') return { ...accuracy, label: `without ${name}` };
  if (family === 'degraded') return { ...accuracy, label: `${name} degraded` };
  if (family === 'fault') return { ...accuracy, label: `${name}: ${fault.join(' ')}` };
  return { key, label: key, unit: 'number', isHigherBetter: true };
}

/** The names among `present` that the patterns (names, or prefixes ending in `/`) choose, in the patterns' order. */
export function chosenMetrics(patterns: readonly string[], present: readonly string[]): Metric[] {
  const keys = patterns.flatMap((pattern) =>
    present.filter((key) => (pattern.endsWith('/') ? key.startsWith(pattern) : key === pattern)),
  );
  return [...new Set(keys)].map(metricOf);
}

/** Without unit: `88.1`, `0.432`, `5.3 kB`. */
export function formatValue(value: number, { unit }: Metric): string {
  if (unit === 'bytes') return formatBytes(value);
  return unit === 'percent' ? (100 * value).toFixed(1) : value.toFixed(3);
}

/** With a sign: `+1.4`, `−0.012`. */
export function formatDifference(value: number, metric: Metric): string {
  const sign = value < 0 ? '−' : '+';
  return `${sign}${formatValue(Math.abs(value), metric)}`;
}

/** What the axis is in: `accuracy, %`. */
export function axisLabel({ unit, label }: Metric): string {
  return unit === 'percent' ? 'accuracy, %' : unit === 'bytes' ? 'bytes per board and round' : label;
}
