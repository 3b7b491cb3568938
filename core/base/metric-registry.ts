/**
 * Numbers in Prometheus' text format: the adapter to prom-client, for board and aggregator alike.
 * Invariant: values are read when they are scraped, never kept here; what is not known (null) is left out.
 * Source: Prometheus' text exposition format 0.0.4, and its rules for names (base units, `_total` for counters).
 */
import { Counter, Gauge, Registry } from 'prom-client';

export type MetricLabels = Readonly<Record<string, string>>;
export type MetricSample = readonly [value: number | null, labels?: MetricLabels];

export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  /** Default: a gauge. */
  readonly kind?: 'counter';
  readonly labels?: readonly string[];
  /** Samples whose value is null are left out. */
  readonly read: () => readonly MetricSample[];
}

export interface MetricRegistry {
  /** For the header `Content-Type`. */
  readonly contentType: string;
  text(): Promise<string>;
}

export function createMetricRegistry(families: readonly MetricFamily[]): MetricRegistry {
  const registry = new Registry();
  for (const family of families) register(registry, family);
  return { contentType: registry.contentType, text: () => registry.metrics() };
}

function register(registry: Registry, { name, help, kind, labels = [], read }: MetricFamily): void {
  const options = { name, help, labelNames: [...labels], registers: [registry] };
  if (kind === 'counter') {
    new Counter({
      ...options,
      collect() {
        forget(this, labels);
        for (const [value, of = {}] of read()) if (value !== null) this.inc(of, value);
      },
    });
    return;
  }
  new Gauge({
    ...options,
    collect() {
      forget(this, labels);
      for (const [value, of = {}] of read()) if (value !== null) this.set(of, value);
    },
  });
}

/** `reset` alone would leave a family without labels at 0. */
function forget(family: Counter | Gauge, labels: readonly string[]): void {
  family.reset();
  if (labels.length === 0) family.remove();
}

const one = (read: () => number | null) => () => [[read()] as const];

/** A sum that only grows, without labels. */
export function total(name: string, help: string, read: () => number | null): MetricFamily {
  return { name, help, kind: 'counter', read: one(read) };
}

/** A value without labels. */
export function gauge(name: string, help: string, read: () => number | null): MetricFamily {
  return { name, help, read: one(read) };
}

/** What each program says of its own process. @param who `the aggregator` */
export function processFamilies(who: string): MetricFamily[] {
  const cpuSeconds = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  return [
    total('process_cpu_seconds_total', `Processor time of ${who}.`, cpuSeconds),
    gauge('process_resident_memory_bytes', `Memory of ${who}.`, () => process.memoryUsage.rss()),
    gauge('process_start_time_seconds', 'When it was started.', () => performance.timeOrigin / 1000),
  ];
}
