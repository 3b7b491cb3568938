/**
 * Many boards in one process, each with its own database, link and session over real TCP; only learning is left out: the trainer
 * commits an update of the right size in the transaction of the real one. Some boards are killed in each round: their connection is
 * cut without a goodbye at a point drawn from the seed, and they come back from their database later, in that round or the next.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once, setMaxListeners } from 'node:events';
import { mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { type AgentStore, openAgentStore } from '../../agent/store/agent-store.ts';
import { createSession, offlineWill, type RoundTrainer, type Session } from '../../agent/sync/session.ts';
import { type Clock, systemClock } from '../../core/base/clock.ts';
import type { Lifecycle } from '../../core/base/lifecycle.ts';
import { type Log, silentLog } from '../../core/base/log.ts';
import type { BackoffOptions } from '../../core/base/retry.ts';
import { createMqttTransport } from '../../core/link/mqtt.ts';
import type { Transport } from '../../core/link/transport.ts';
import { createRng } from '../../core/math/rng.ts';
import { type Topics, topics as topicsOf } from '../../core/wire/topics.ts';
import { createUpdateMaker, type UpdateMaker } from './stand-in-update.ts';

/** Where in a round a board is killed. */
export const KILL_PHASES = ['training', 'committed', 'sending', 'sent', 'receipt'] as const;
type KillPhase = (typeof KILL_PHASES)[number];

export interface CrowdOptions {
  readonly url: string;
  readonly fleet: string;
  /** For the databases; made when it is not there. */
  readonly folder: string;
  readonly boards: number;
  readonly seed: number;
  /** Share of the boards killed in each training round, 0–1. */
  readonly killed: number;
  /** A board takes up to so long for a round's training. */
  readonly trainMs: number;
  /** A killed board is away for up to so long. */
  readonly awayMs: number;
  /** As `SessionParts.resend`. */
  readonly resend?: BackoffOptions;
}

export interface CrowdTally {
  readonly kills: Record<KillPhase, number>;
  /** Sends that updates took until they were settled → updates. */
  readonly sends: Map<number, number>;
  /** Second since the start → messages that boards sent or were given. */
  readonly messages: Map<number, number>;
  /** By all boards in all their lives, bytes. */
  readonly traffic: { sentBytes: number; receivedBytes: number };
  /** What broke in a session; must stay empty. */
  readonly failures: string[];
}

export interface BoardCrowd extends Lifecycle {
  /** Makes the databases: a fleet that comes to life has had its own for long. */
  prepare(): void;
  readonly tally: CrowdTally;
  /** Name and database of every board. */
  readonly members: readonly { readonly device: string; readonly path: string }[];
}

interface Shared {
  readonly options: CrowdOptions;
  readonly topics: Topics;
  readonly clock: Clock;
  readonly maker: UpdateMaker;
  readonly tally: CrowdTally;
  /** Aborts when the crowd goes home. */
  readonly signal: AbortSignal;
  countMessage(): void;
}

interface Board {
  readonly device: string;
  readonly path: string;
  /** Rounds whose fate has come true. */
  readonly fated: Set<number>;
  doom: KillPhase | null;
  life: Life | null;
}

interface Life {
  readonly sockets: Set<Socket>;
  readonly store: AgentStore;
  readonly transport: Transport;
  readonly session: Session;
  /** Aborts with the board's death. */
  readonly death: AbortController;
}

const MODALITIES = ['acc', 'gyr'];
/** The board whose code opens a socket. Node tells of each new socket here; no other way leads to the one of a transport. */
const owner = new AsyncLocalStorage<Set<Socket>>();

export function createBoardCrowd(options: CrowdOptions): BoardCrowd {
  const home = new AbortController();
  setMaxListeners(0, home.signal); // each board listens, and what it waits for
  const tally: CrowdTally = {
    kills: { training: 0, committed: 0, sending: 0, sent: 0, receipt: 0 },
    sends: new Map(),
    messages: new Map(),
    traffic: { sentBytes: 0, receivedBytes: 0 },
    failures: [],
  };
  const clock = systemClock;
  let startMs = 0;
  const shared: Shared = {
    ...{ options, topics: topicsOf(options.fleet), clock, maker: createUpdateMaker(), tally, signal: home.signal },
    countMessage: () => add(tally.messages, Math.floor((clock.nowMs() - startMs) / 1000)),
  };
  const boards = Array.from({ length: options.boards }, (_, i): Board => {
    const device = `board-${String(i).padStart(4, '0')}`;
    return { device, path: join(options.folder, `${device}.sqlite`), fated: new Set(), doom: null, life: null };
  });
  const note = (message: unknown) => void owner.getStore()?.add((message as { socket: Socket }).socket);
  return {
    tally,
    members: boards,
    prepare() {
      mkdirSync(options.folder, { recursive: true });
      for (const { path } of boards) openAgentStore(path).close();
    },
    async start(signal) {
      signal.addEventListener('abort', () => home.abort(signal.reason), { once: true });
      startMs = clock.nowMs();
      subscribe('net.client.socket', note);
      for (const board of boards) await wake(board, shared);
    },
    async stop() {
      home.abort(new Error('the crowd goes home'));
      await Promise.all(boards.map((board) => bury(board, shared)));
      unsubscribe('net.client.socket', note);
    },
  };
}

/** Begins a life from the database. */
async function wake(board: Board, shared: Shared): Promise<void> {
  const { options, topics, clock, signal } = shared;
  const { device } = board;
  const store = openAgentStore(board.path);
  const death = new AbortController();
  const sockets = new Set<Socket>();
  const lives = board.fated.size;
  const random = (use: string) => createRng(`${options.seed}/${device}/${use}/${lives}`).next;
  const link = createMqttTransport({
    ...{ url: options.url, clientId: device, clean: false, startup: 'retry', clock, random: random('link') },
    will: offlineWill(topics, device, MODALITIES),
  });
  const transport = watched(link, board, death.signal, shared);
  const session = createSession({
    ...{ transport, topics, device, modalities: MODALITIES, store, clock, random: random('session') },
    trainer: trainerOf(board, store, death.signal, shared),
    log: attemptsLog(shared.tally),
    ...(options.resend && { resend: options.resend }),
  });
  session.finished.catch((error) => {
    if (!death.signal.aborted) shared.tally.failures.push(`${device}: ${error}`);
  });
  board.life = { sockets, store, transport, session, death };
  await owner.run(sockets, () => transport.start(signal));
  await session.start(signal);
}

/** Cuts the connection where it is, and sees to it that the board comes back. */
function kill(board: Board, shared: Shared): void {
  const { clock, signal, options, tally } = shared;
  const { doom, life } = board;
  if (doom === null || life === null || signal.aborted) return;
  tally.kills[doom]++;
  board.doom = null;
  const awayMs = options.awayMs * createRng(`${options.seed}/${board.device}/away/${board.fated.size}`).next();
  for (const socket of life.sockets) socket.destroy();
  bury(board, shared)
    .then(() => clock.sleep(awayMs, signal))
    .then(() => wake(board, shared))
    .catch((error) => {
      if (!signal.aborted) tally.failures.push(`${board.device} did not come back: ${error}`);
    });
}

/** Ends a life. After `kill` nothing more leaves the board: its sockets are gone before anything is stopped. */
async function bury(board: Board, { tally }: Shared): Promise<void> {
  const { life } = board;
  if (life === null) return;
  board.life = null;
  life.death.abort(new Error('killed'));
  for (const socket of life.sockets) if (socket.destroyed && !socket.closed) await once(socket, 'close');
  await life.transport.stop();
  await life.session.stop();
  life.store.close();
  const { sentBytes, receivedBytes } = life.transport.traffic();
  tally.traffic.sentBytes += sentBytes;
  tally.traffic.receivedBytes += receivedBytes;
}

/** Trains nothing: takes its time, then commits. */
function trainerOf(board: Board, store: AgentStore, death: AbortSignal, shared: Shared): RoundTrainer {
  const { options, clock, maker } = shared;
  return {
    async runRound(plan, global, signal) {
      const before = store.checkpoint();
      if (before !== null && before.round >= plan.round) return 'already-done';
      const rng = createRng(`${options.seed}/${board.device}/${plan.round}`);
      const durationMs = options.trainMs * rng.next();
      const isDoomed = plan.kind === 'training' && !board.fated.has(plan.round) && rng.next() < options.killed;
      if (isDoomed) board.fated.add(plan.round);
      board.doom = isDoomed ? (KILL_PHASES[rng.int(KILL_PHASES.length)] as KillPhase) : null;
      const life = AbortSignal.any([signal, death]);
      await clock.sleep(board.doom === 'training' ? durationMs * rng.next() : durationMs, life);
      dieAt('training', board, shared);
      life.throwIfAborted();
      const seq = (before?.seq ?? 0) + 1;
      const cursor = before?.cursor ?? -1;
      const count = plan.kind === 'training' ? plan.settings.windowsPerRound : 0;
      const used = Array.from({ length: count }, (_, i) => cursor + 1 + i);
      store.commitTraining(
        {
          ...{ round: plan.round, cursor: cursor + count, seq, modelVersion: global.version },
          ...{ params: global.params, residual: global.params },
        },
        { round: plan.round, seq, payload: maker.payload(plan, board.device, seq) },
        used,
      );
      dieAt('committed', board, shared);
      life.throwIfAborted();
      return 'committed';
    },
  };
}

function dieAt(phase: KillPhase, board: Board, shared: Shared): void {
  if (board.doom === phase) kill(board, shared);
}

/** The link, with its messages counted and the board killed where it is doomed to be. */
function watched(link: Transport, board: Board, death: AbortSignal, shared: Shared): Transport {
  const { topics, countMessage } = shared;
  const [up, receipt] = [topics.up(board.device), topics.receipt(board.device)];
  return {
    ...link,
    async publish(topic, payload, options) {
      countMessage();
      const sent = link.publish(topic, payload, options);
      if (topic === up) dieAt('sending', board, shared);
      await sent;
      if (topic === up) dieAt('sent', board, shared);
    },
    subscribe: (filter, handler) =>
      link.subscribe(filter, (message) => {
        countMessage();
        if (message.topic === receipt) dieAt('receipt', board, shared);
        if (!death.aborted) return handler(message);
      }),
  };
}

/** Hears from the publisher how often each update was sent until it was settled. */
function attemptsLog({ sends }: CrowdTally): Log {
  const note = (fields: object) => {
    if ('attempts' in fields) add(sends, Number(fields.attempts));
  };
  return { ...silentLog, info: note, warn: note };
}

function add(counts: Map<number, number>, key: number): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
