/**
 * The fleet as this page knows it: read once, then kept up by events. Whoever listens is told at most once per animation frame what has
 * changed. Invariant: boards are replaced, never changed in place, so "another object" means "another content".
 */
import type { BoardLine } from '../http/board-list.ts';
import { type FleetAnswer, getDevices, getJson, statusOf } from './api.ts';
import { boardAfter, boardInRound, type FleetNow, fleetAfter, HISTORY, roundsAfter } from './apply-event.ts';
import { type EventFeed, type FeedEvent, startEventFeed } from './event-feed.ts';
import { type Changes, createFrameChanges } from './frame-changes.ts';

/** What a board says of itself now (`qqr/v1/FLEET/state/DEVICE`). */
export interface LiveState {
  /** Wall time of its word. */
  readonly atMs: number;
  readonly online: boolean;
  readonly activity: string | null;
  readonly confidence: number;
  readonly modelVersion: number | null;
  readonly quality: Readonly<Record<string, number | null>>;
  readonly faults: readonly string[];
}

export interface FleetModel {
  now(): FleetNow;
  boards(): ReadonlyMap<string, BoardLine>;
  /** Null: the aggregator keeps none. */
  states(): ReadonlyMap<string, LiveState> | null;
  isConnected(): boolean;
  /** Reads all states anew: an event comes only when one says something else. */
  readStates(): Promise<void>;
  listen(listener: (changes: Changes) => void): () => void;
  /** Reads everything, then follows. @throws ApiProblem */
  start(): Promise<void>;
  stop(): void;
}

/** After a failure, while the aggregator starts. */
const RELOAD_MS = 2000;

export function createFleetModel(): FleetModel {
  const changes = createFrameChanges();
  const { tell } = changes;
  let boards = new Map<string, BoardLine>();
  let states: Map<string, LiveState> | null = null;
  let now: FleetNow | null = null;
  let feed: EventFeed | null = null;
  let isConnected = true;
  const apply = ({ type, data }: FeedEvent) => {
    if (now === null) return;
    if (type === 'reset') return void reload();
    now = fleetAfter(now, type, data);
    if (type === 'round-closed') changes.pending().closedRounds.push(Number(data['round']));
    if (type === 'round-opened' || type === 'update-counted') keepUpWithRound(Number(data['round']));
    const device = data['device'];
    if (type === 'state' && typeof device === 'string') {
      states ??= new Map();
      states.set(device, data as unknown as LiveState);
      changes.pending().states.add(device);
    } else if (typeof device === 'string') applyToBoard(device, type, data);
    tell();
  };
  const applyToBoard = (device: string, type: string, data: FeedEvent['data']) => {
    const before = boards.get(device);
    const after = boardAfter(before, device, type, data, now as FleetNow);
    if (after === null) boards.delete(device);
    else boards.set(device, after);
    changes.pending().boards.add(device);
    if (before === undefined || after === null) changes.pending().isList = true;
  };
  const keepUpWithRound = (round: number) => {
    if (now === null || now.openRound === round) return;
    const before = now;
    now = roundsAfter(now, round);
    const isNew = now.rounds.at(-1) !== before.rounds.at(-1);
    for (const [name, board] of boards) {
      boards.set(name, boardInRound(board, isNew));
      changes.pending().boards.add(name);
    }
  };
  const connected = (isUp: boolean) => {
    isConnected = isUp;
    tell();
  };
  const hear = async () => {
    states = await readStates();
    for (const device of states?.keys() ?? []) changes.pending().states.add(device);
    tell();
  };
  const reload = (): unknown => load().catch(() => setTimeout(reload, RELOAD_MS));
  const load = async () => {
    feed?.stop();
    const read = await readFleet();
    ({ boards, states, now } = read);
    feed = startEventFeed({ after: read.now.fleet.lastEventId, onEvent: apply, onConnection: connected });
    changes.pending().isAll = true;
    tell();
  };
  return {
    now: () => known(now),
    boards: () => boards,
    states: () => states,
    isConnected: () => isConnected,
    readStates: hear,
    listen: changes.listen,
    start: load,
    stop: () => feed?.stop(),
  };
}

/** The fleet first: events after its answer are then heard, whatever the other answers know already. */
async function readFleet() {
  const fleet = await getJson<FleetAnswer>('fleet');
  const [list, states] = await Promise.all([getDevices(HISTORY), readStates()]);
  const boards = new Map(list.devices.map((board) => [board.device, withOpenRound(board, list.rounds, fleet)]));
  const rounds = roundsWithOpen(list.rounds, fleet);
  const now: FleetNow = { fleet, rounds, openRound: fleet.round?.round ?? null };
  return { boards, states, now };
}

async function readStates(): Promise<Map<string, LiveState> | null> {
  try {
    const { states } = await getJson<{ states: Record<string, LiveState> }>('states');
    return new Map(Object.entries(states));
  } catch (error) {
    if (statusOf(error) === 404) return null;
    throw error;
  }
}

function roundsWithOpen(rounds: readonly number[], { round }: FleetAnswer): readonly number[] {
  return round === null || round.round <= (rounds.at(-1) ?? -1) ? rounds : [...rounds, round.round].slice(-HISTORY);
}

/** The list's history is of closed rounds; here the open one is its newest place. */
function withOpenRound(board: BoardLine, rounds: readonly number[], fleet: FleetAnswer): BoardLine {
  if (fleet.round === null || fleet.round.round <= (rounds.at(-1) ?? -1)) return board;
  const modalities = board.modalities.map((line) => {
    const quality = board.hasAnswered ? line.quality : null;
    return { ...line, history: [...line.history, quality].slice(-HISTORY) };
  });
  return { ...board, modalities };
}

function known(now: FleetNow | null): FleetNow {
  if (now === null) throw new Error('the fleet is not read yet');
  return now;
}
