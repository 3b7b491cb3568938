/**
 * A board's numbers for Prometheus (docs/monitoring.md lists every name; a test holds the two together).
 * Invariant: the facts are read once a scrape and at most every `FRESH_MS`, however many scrape: counting a backlog of days must not
 * hold up sampling.
 */
import {
  createMetricRegistry,
  gauge,
  type MetricFamily,
  processFamilies,
  total,
} from '../../core/base/metric-registry.ts';
import type { CertificateEnds } from '../../core/link/certificate-ends.ts';
import type { FaultEvent } from '../sensors/fault-watch.ts';
import type { LossCount, SettledCount } from '../store/agent-store.ts';

export interface BoardFacts {
  /** Windows stored, over all runs of the program. */
  readonly windows: number;
  /** Time of the newest stored sample, seconds of stream; null before the first. */
  readonly streamS: number | null;
  /** Quality of the newest window by modality; null where the window has no values; empty before the first window. */
  readonly quality: Readonly<Record<string, number | null>>;
  /** By chip, since the start; empty while a recording is played. */
  readonly chips: Readonly<Record<string, ChipFacts>>;
  readonly losses: readonly LossCount[];
  readonly outbox: { readonly updates: number; readonly bytes: number };
  readonly quarantined: number;
  readonly settled: readonly SettledCount[];
  /** Windows that later rounds may use; null before the fleet's model is known. */
  readonly backlog: number | null;
  readonly learner: { readonly died: number; readonly overMemory: number; readonly residentMb: number | null };
  readonly link: { readonly isUp: boolean; readonly connections: number; readonly givenUp: number };
  readonly traffic: { readonly sentBytes: number; readonly receivedBytes: number };
  readonly certificates: CertificateEnds;
  /** Of the database with its write-ahead log. */
  readonly databaseBytes: number;
}

export interface ChipFacts {
  readonly samples: number;
  /** How often each fault was raised. */
  readonly faults: Readonly<Record<string, number>>;
  readonly raised: readonly Pick<FaultEvent, 'fault' | 'modalities'>[];
}

export interface BoardMetricsParts {
  readonly read: () => Promise<BoardFacts>;
  readonly nowMs: () => number;
  readonly device: string;
  /** Of the program. */
  readonly version: string;
}

export interface BoardMetrics {
  readonly contentType: string;
  text(): Promise<string>;
}

const FRESH_MS = 5000;

export function createBoardMetrics({ read, nowMs, device, version }: BoardMetricsParts): BoardMetrics {
  let facts: BoardFacts | null = null;
  let readAtMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | null = null;
  const known = (): BoardFacts => facts as BoardFacts; // families are read after `refresh` alone
  const registry = createMetricRegistry([
    buildInfo(device, version),
    ...streamFamilies(known),
    ...chipFamilies(known),
    ...updateFamilies(known),
    ...learnerFamilies(known),
    ...linkFamilies(known),
    gauge('qqr_agent_database_bytes', 'The database with its write-ahead log.', () => known().databaseBytes),
    ...processFamilies('the agent'),
  ]);

  async function refresh(): Promise<void> {
    facts = await read();
    readAtMs = nowMs();
  }

  return {
    contentType: registry.contentType,
    async text() {
      if (nowMs() - readAtMs >= FRESH_MS) {
        reading ??= refresh().finally(() => {
          reading = null;
        });
        await reading;
      }
      return registry.text();
    },
  };
}

type Facts = () => BoardFacts;

function buildInfo(device: string, version: string): MetricFamily {
  return {
    ...{
      name: 'qqr_agent_build_info',
      help: 'Always 1: which board and program this is.',
      labels: ['device', 'version', 'node'],
    },
    read: () => [[1, { device, version, node: process.version }]],
  };
}

function streamFamilies(facts: Facts): MetricFamily[] {
  const quality = () => Object.entries(facts().quality);
  return [
    total('qqr_agent_windows_total', 'Windows cut and stored, over all runs.', () => facts().windows),
    gauge('qqr_agent_stream_seconds', 'Stream time of the newest stored sample.', () => facts().streamS),
    {
      ...{ name: 'qqr_agent_window_quality_ratio', labels: ['modality'] },
      help: 'Quality of a modality in the newest window; absent when the window has no values of it.',
      read: () => quality().map(([modality, value]) => [value, { modality }]),
    },
    {
      ...{ name: 'qqr_agent_window_present', labels: ['modality'] },
      help: '1 when the newest window has values of the modality.',
      read: () => quality().map(([modality, value]) => [Number(value !== null), { modality }]),
    },
    {
      ...{ name: 'qqr_agent_lost_total', kind: 'counter', labels: ['cause', 'kind'] },
      help: 'Samples and windows that were not stored or not kept, over all runs.',
      read: () => facts().losses.map(({ cause, kind, count }) => [count, { cause, kind }]),
    },
  ];
}

function chipFamilies(facts: Facts): MetricFamily[] {
  const chips = () => Object.entries(facts().chips);
  return [
    {
      ...{ name: 'qqr_agent_chip_samples_total', kind: 'counter', labels: ['chip'] },
      help: 'Samples read from a chip since the start.',
      read: () => chips().map(([chip, { samples }]) => [samples, { chip }]),
    },
    {
      ...{ name: 'qqr_agent_faults_total', kind: 'counter', labels: ['chip', 'fault'] },
      help: 'Faults raised since the start.',
      read: () =>
        chips().flatMap(([chip, { faults }]) =>
          Object.entries(faults).map(([fault, count]) => [count, { chip, fault }] as const),
        ),
    },
    {
      ...{ name: 'qqr_agent_fault_raised', labels: ['chip', 'fault', 'modality'] },
      help: '1 for each fault that is raised now; absent without.',
      read: () =>
        chips().flatMap(([chip, { raised }]) =>
          raised.flatMap(({ fault, modalities }) =>
            modalities.map((modality) => [1, { chip, fault, modality }] as const),
          ),
        ),
    },
  ];
}

function updateFamilies(facts: Facts): MetricFamily[] {
  return [
    gauge('qqr_agent_outbox_updates', 'Updates that wait for a verdict.', () => facts().outbox.updates),
    gauge('qqr_agent_outbox_bytes', 'Their payloads.', () => facts().outbox.bytes),
    gauge('qqr_agent_quarantined_updates', 'Updates kept to be looked at, 16 at most.', () => facts().quarantined),
    {
      // A gauge: an update that was set aside is counted anew when its verdict comes.
      ...{ name: 'qqr_agent_settled_updates', labels: ['outcome', 'reason'] },
      help: 'Updates that have left the outbox over all runs, by outcome and reason.',
      read: () => facts().settled.map(({ outcome, reason, count }) => [count, { outcome, reason }]),
    },
  ];
}

function learnerFamilies(facts: Facts): MetricFamily[] {
  return [
    gauge(
      'qqr_agent_backlog_windows',
      'Windows that later rounds may use; absent before the first plan.',
      () => facts().backlog,
    ),
    total('qqr_agent_learner_deaths_total', 'Times that the learner ended by itself.', () => facts().learner.died),
    total(
      'qqr_agent_learner_over_memory_total',
      'Those in which it was ended for its memory.',
      () => facts().learner.overMemory,
    ),
    gauge('qqr_agent_learner_resident_memory_bytes', 'Memory of the learner; absent while none runs.', () => {
      const { residentMb } = facts().learner;
      return residentMb === null ? null : residentMb * 1e6;
    }),
  ];
}

function linkFamilies(facts: Facts): MetricFamily[] {
  return [
    gauge('qqr_agent_link_up', '1 while the link to the broker is up.', () => Number(facts().link.isUp)),
    total('qqr_agent_link_connections_total', 'Connections made since the start.', () => facts().link.connections),
    total('qqr_agent_link_given_up_total', 'Connections replaced because nobody answered.', () => facts().link.givenUp),
    total('qqr_agent_link_sent_bytes_total', 'Bytes written to the broker.', () => facts().traffic.sentBytes),
    total('qqr_agent_link_received_bytes_total', 'Bytes read from the broker.', () => facts().traffic.receivedBytes),
    {
      ...{ name: 'qqr_agent_certificate_expiry_timestamp_seconds', labels: ['certificate'] },
      help: 'When a certificate expires; absent without TLS.',
      read: () => Object.entries(facts().certificates).map(([certificate, atMs]) => [atMs / 1000, { certificate }]),
    },
  ];
}
