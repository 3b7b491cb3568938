/**
 * `/metrics`: the aggregator in Prometheus' text format (docs/monitoring.md lists every name; a test holds the two together).
 * Invariant: values are read when they are scraped, never kept here, and boards are labelled up to `MAX_LABELLED_BOARDS` only, so that
 * the number of time series is bounded.
 */
import {
  createMetricRegistry,
  type MetricFamily as Family,
  gauge,
  processFamilies,
  type MetricSample as Sample,
  total,
} from '../../core/base/metric-registry.ts';
import type { CertificateEnds } from '../../core/link/certificate-ends.ts';
import { type BoardLine, createBoardLines, type ModalityLine } from './board-list.ts';
import type { EventStreams } from './event-stream.ts';
import { boardsByState } from './fleet-route.ts';
import type { FleetWindow } from './fleet-window.ts';

/** Boards with series of their own: the first by name. `qqr_boards_unlabelled` says how many have none. */
export const MAX_LABELLED_BOARDS = 2000;

export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
}

export function createMetrics(window: FleetWindow, streams: EventStreams): Metrics {
  const lines = createBoardLines(window);
  let boards: readonly BoardLine[] = []; // of the present scrape
  let certificates: CertificateEnds = {}; // likewise
  const registry = createMetricRegistry([
    ...roundFamilies(window),
    ...learningFamilies(window),
    ...linkFamilies(window, streams),
    ...brokerFamilies(window),
    {
      ...{ name: 'qqr_certificate_expiry_timestamp_seconds', help: 'When a certificate expires.' },
      labels: ['certificate'],
      read: () => Object.entries(certificates).map(([certificate, atMs]) => [atMs / 1000, { certificate }]),
    },
    ...boardFamilies(window, () => boards),
    ...processFamilies('the aggregator'),
  ]);
  return {
    contentType: registry.contentType,
    async text() {
      certificates = await window.certificateEnds();
      boards = lines.all(1).boards;
      return registry.text();
    },
  };
}

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

/** Of the embedded broker; absent with a broker elsewhere. */
function brokerFamilies({ brokerCounts }: FleetWindow): Family[] {
  type Count = keyof NonNullable<ReturnType<typeof brokerCounts>>;
  const sum = (name: string, help: string, of: Count) =>
    total(`qqr_broker_${name}_total`, help, () => brokerCounts()?.[of] ?? null);
  const level = (name: string, help: string, of: Count) =>
    gauge(`qqr_broker_${name}`, help, () => brokerCounts()?.[of] ?? null);
  return [
    level('sessions', 'Sessions that the embedded broker keeps.', 'sessions'),
    level('waiting_messages', 'Messages that wait for a session.', 'messages'),
    level('stored_bytes', 'Bytes of all that it keeps.', 'bytes'),
    sum('dropped_messages', 'Messages dropped for a bound, once for each session that waited.', 'dropped'),
    sum('refused_connections', 'Connections above the bounds.', 'refusedConnections'),
    sum('failed_accepts', 'Connections that the system could not hand over.', 'failedAccepts'),
    sum('failed_handshakes', 'TLS handshakes that failed.', 'failedHandshakes'),
    sum('refused_logins', 'Wrong passwords, foreign client ids, unknown users.', 'refusedLogins'),
    sum('denied_publishes', 'Messages that their sender may not publish.', 'deniedPublishes'),
    sum('denied_subscriptions', 'Subscriptions that a client may not have.', 'deniedSubscriptions'),
    sum('slow_clients', 'Connections ended because their client did not read.', 'slowClients'),
    sum('throttled', 'Times that a client sent too fast and was left unread for a while.', 'throttled'),
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
