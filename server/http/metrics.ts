/**
 * `/metrics`: the aggregator in Prometheus' text format (docs/monitoring.md lists every name; a test holds the two together).
 * Invariant: values are read when they are scraped, never kept here, and boards are labelled up to `MAX_LABELLED_BOARDS` only, so that
 * the number of time series is bounded.
 */
import { Counter, Gauge, type OpenMetricsContentType, type PrometheusContentType, Registry } from 'prom-client';
import { type BoardLine, createBoardLines, type ModalityLine } from './board-list.ts';
import type { EventStreams } from './event-stream.ts';
import { boardsByState } from './fleet-route.ts';
import type { FleetWindow } from './fleet-window.ts';

/** Boards with series of their own: the first by name. `qqr_boards_unlabelled` says how many have none. */
export const MAX_LABELLED_BOARDS = 2000;

export interface Metrics {
  readonly contentType: PrometheusContentType | OpenMetricsContentType;
  text(): Promise<string>;
}

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [value: number | null, labels?: Labels];

interface Family {
  readonly name: string;
  readonly help: string;
  readonly kind?: 'counter';
  readonly labels?: readonly string[];
  /** What is not known (null) is left out. */
  readonly read: () => readonly Sample[];
}

export function createMetrics(window: FleetWindow, streams: EventStreams): Metrics {
  const registry = new Registry();
  const lines = createBoardLines(window);
  let boards: readonly BoardLine[] = []; // of the present scrape
  const families = [
    ...roundFamilies(window),
    ...learningFamilies(window),
    ...linkFamilies(window, streams),
    ...boardFamilies(window, () => boards),
    ...processFamilies(),
  ];
  for (const family of families) register(registry, family);
  return {
    contentType: registry.contentType,
    text() {
      boards = lines.all(1).boards;
      return registry.metrics();
    },
  };
}

function register(registry: Registry, { name, help, kind, labels = [], read }: Family): void {
  const options = { name, help, labelNames: [...labels], registers: [registry] };
  if (kind === 'counter') {
    new Counter({
      ...options,
      collect() {
        this.reset();
        for (const [value, of = {}] of read()) if (value !== null) this.inc(of, value);
      },
    });
    return;
  }
  new Gauge({
    ...options,
    collect() {
      this.reset();
      for (const [value, of = {}] of read()) if (value !== null) this.set(of, value);
    },
  });
}

const one = (read: () => number | null) => () => [[read()] as const];
const total = (name: string, help: string, read: () => number): Family => ({
  name,
  help,
  kind: 'counter',
  read: one(read),
});
const gauge = (name: string, help: string, read: () => number | null): Family => ({ name, help, read: one(read) });

function roundFamilies({ view, history, operator, ...window }: FleetWindow): Family[] {
  return [
    total('qqr_rounds_closed_total', 'Rounds closed since the start.', () => view.totals().roundsClosed),
    gauge('qqr_round_last_number', 'Number of the newest closed round.', () => history.lastRound()),
    gauge(
      'qqr_round_open_number',
      'Number of the open round; absent between rounds.',
      () => view.round()?.round ?? null,
    ),
    gauge('qqr_round_open_seconds', 'How long the open round has been open; absent between rounds.', () => {
      const open = view.round();
      return open === null ? null : open.openForMs / 1000;
    }),
    gauge('qqr_round_asked_boards', 'Boards asked in the open round.', () => view.round()?.asked.length ?? null),
    gauge('qqr_round_counted_boards', 'Boards counted in the open round.', () => view.round()?.arrivals.size ?? null),
    gauge(
      'qqr_round_last_boards',
      'Boards counted in the newest closed round.',
      () => view.lastRecord()?.devices.length ?? null,
    ),
    gauge('qqr_round_last_duration_seconds', 'How long the newest closed round was open.', () => {
      const record = view.lastRecord();
      return record === null ? null : record.durationMs / 1000;
    }),
    gauge('qqr_rounds_paused', '1 while an operator has paused the rounds.', () => Number(operator.isPaused())),
    gauge('qqr_model_version', 'Version of the present model.', () => window.global().version),
    total('qqr_updates_counted_total', 'Updates counted since the start.', () => view.totals().counted),
    {
      ...{ name: 'qqr_updates_refused_total', help: 'Updates refused since the start, by reason.', kind: 'counter' },
      labels: ['reason'],
      read: () => Object.entries(view.totals().refused).map(([reason, count]) => [count, { reason }]),
    },
    total('qqr_update_payload_bytes_total', 'Payloads counted in closed rounds.', () => view.totals().payloadBytes),
    total('qqr_update_fp32_bytes_total', 'What the same content takes as float32.', () => view.totals().fp32Bytes),
  ];
}

function learningFamilies({ view }: FleetWindow): Family[] {
  const ofModality = (values: Readonly<Record<string, number | null>> = {}): Sample[] =>
    Object.entries(values).map(([modality, value]) => [value, { modality }]);
  const evaluation = () => view.lastRecord()?.evaluation;
  const modalities = () => Object.entries(view.lastRecord()?.modalities ?? {});
  return [
    gauge(
      'qqr_online_accuracy_ratio',
      'Of predictions before training, in the newest round.',
      () => view.lastRecord()?.online?.accuracy ?? null,
    ),
    gauge(
      'qqr_online_loss_nats',
      'Mean cross-entropy of these predictions.',
      () => view.lastRecord()?.online?.loss ?? null,
    ),
    gauge(
      'qqr_holdout_accuracy_ratio',
      'On held-out windows, when the newest round was evaluated.',
      () => evaluation()?.clean ?? null,
    ),
    {
      name: 'qqr_holdout_missing_accuracy_ratio',
      help: 'The same with one modality taken away.',
      labels: ['modality'],
      read: () => ofModality(evaluation()?.missing),
    },
    {
      name: 'qqr_holdout_degraded_accuracy_ratio',
      help: 'The same with one modality degraded.',
      labels: ['modality'],
      read: () => ofModality(evaluation()?.degraded),
    },
    {
      name: 'qqr_modality_quality_ratio',
      help: 'Mean quality over the fleet in the newest round.',
      labels: ['modality'],
      read: () => modalities().map(([modality, { meanQuality }]) => [meanQuality, { modality }]),
    },
    {
      name: 'qqr_modality_absent_ratio',
      help: 'Share of windows without the modality in the newest round.',
      labels: ['modality'],
      read: () => modalities().map(([modality, { missingShare }]) => [missingShare, { modality }]),
    },
  ];
}

function linkFamilies({ view, ...window }: FleetWindow, streams: EventStreams): Family[] {
  return [
    gauge('qqr_link_up', '1 while the link to the broker is up.', () => Number(view.isLinkUp())),
    total('qqr_link_sent_bytes_total', 'Bytes written to the broker.', () => window.traffic().sentBytes),
    total('qqr_link_received_bytes_total', 'Bytes read from the broker.', () => window.traffic().receivedBytes),
    gauge('qqr_http_event_listeners', 'Listeners to server-sent events.', () => streams.count()),
    total('qqr_http_event_listeners_dropped_total', 'Listeners dropped because they did not read.', () =>
      streams.dropped(),
    ),
  ];
}

function boardFamilies(window: FleetWindow, boards: () => readonly BoardLine[]): Family[] {
  const labelled = () => boards().slice(0, MAX_LABELLED_BOARDS);
  const ofBoard = (name: string, help: string, read: (board: BoardLine) => number | null): Family => {
    return { name, help, labels: ['device'], read: () => labelled().map((one) => [read(one), { device: one.device }]) };
  };
  const eachModality = (read: (line: ModalityLine) => number | null) => () =>
    labelled().flatMap(({ device, modalities }) =>
      modalities.map((line): Sample => [read(line), { device, modality: line.modality }]),
    );
  return [
    {
      ...{ name: 'qqr_boards', help: 'Boards that are known, by state.', labels: ['state'] },
      read: () => {
        const { known, ...states } = boardsByState(window);
        return Object.entries(states).map(([state, count]) => [count, { state }]);
      },
    },
    gauge(
      'qqr_boards_unlabelled',
      `Boards beyond the first ${MAX_LABELLED_BOARDS} by name, without series of their own.`,
      () => Math.max(0, boards().length - MAX_LABELLED_BOARDS),
    ),
    ofBoard('qqr_board_online', '1 while the board says that it is online.', ({ state }) => Number(state === 'online')),
    ofBoard('qqr_board_last_seen_timestamp_seconds', 'When it said something last.', ({ lastSeenMs }) =>
      lastSeenMs === null ? null : lastSeenMs / 1000,
    ),
    ofBoard('qqr_board_last_round_number', 'Newest round that it was counted in.', ({ lastRound }) => lastRound),
    ofBoard('qqr_board_backlog_windows', 'Windows that it holds for later rounds.', ({ backlog }) => backlog),
    ofBoard('qqr_board_refused_updates', 'Its refused updates since the start.', ({ refused }) =>
      Object.values(refused).reduce((sum, count) => sum + count, 0),
    ),
    {
      name: 'qqr_board_quality_ratio',
      help: 'Mean quality of a modality in its newest update; absent when no window had it.',
      labels: ['device', 'modality'],
      read: eachModality(({ quality }) => quality),
    },
    {
      name: 'qqr_board_present_windows',
      help: 'Windows of its newest update that had the modality.',
      labels: ['device', 'modality'],
      read: eachModality(({ windowsPresent }) => windowsPresent),
    },
  ];
}

function processFamilies(): Family[] {
  const cpuSeconds = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  return [
    total('process_cpu_seconds_total', 'Processor time of the aggregator.', cpuSeconds),
    gauge('process_resident_memory_bytes', 'Memory of the aggregator.', () => process.memoryUsage.rss()),
    gauge('process_start_time_seconds', 'When it was started.', () => performance.timeOrigin / 1000),
  ];
}
