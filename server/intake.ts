/**
 * Uplink messages → counted updates: decode, check, commit under (round, device, seq), then the receipt.
 * Invariant: a receipt is only sent for what the store has committed and the disk has taken. Many wait for the disk together, and
 * none holds up the next message. Whatever comes in, nothing is thrown: a refusal is data, counted by device and reason. What is too
 * much from one board is not even read or answered.
 */
import { Buffer } from 'node:buffer';
import type { Log } from '../core/base/log.ts';
import type { Message } from '../core/link/transport.ts';
import type { UpdateRefusal } from '../core/wire/decode.ts';
import type { Receipt } from '../core/wire/downlink.ts';
import { MAX_LATE_ROUNDS } from '../core/wire/limits.ts';
import type { Topics } from '../core/wire/topics.ts';
import type { RejectReason, Update } from '../core/wire/update.ts';
import type { Gate } from './gate.ts';
import { type Addressed, isLateBy, readUpdate, type UpdateFrame } from './read-update.ts';
import type { OpenRound, RoundStore } from './store/round-store.ts';

export interface IntakeOptions {
  readonly store: RoundStore;
  readonly topics: Topics;
  /** Who may be read at all. */
  readonly gate: Gate;
  /** Rounds that an update may be late by and still be counted in the round that is open; 0 = it is refused. */
  readonly lateRounds: number;
  readonly frame: UpdateFrame;
  readonly reply: (device: string, receipt: Receipt) => void;
  /** Called after an update has been counted. */
  readonly onCounted: (update: Update, bytes: number, isLate: boolean) => void;
  /** Called after an update has been refused. */
  readonly onRefused: (device: string, reason: RejectReason) => void;
  /** Called with the round of an update of this epoch that is later than the open one. */
  readonly onAhead: (device: string, round: number) => void;
  readonly log: Log;
}

export interface Intake {
  /** From now on updates of this round are counted; those that the store holds already are. */
  open(round: OpenRound): void;
  /** Updates counted in the open round so far, late ones of earlier rounds included. */
  count(): number;
  /** The round that is open, or the one that opens next. */
  round(): number;
  /** The devices whose update of the open round is among them. */
  devices(): readonly string[];
  /** Whether this device is one of these. */
  has(device: string): boolean;
  /** Ends the round: later updates are late. Returns what was counted, sorted by device and round. */
  close(): readonly Update[];
  /** Handles one uplink message in one turn of the event loop; never throws. */
  handle(message: Message): void;
}

type Verdict = Omit<Receipt, 'round' | 'seq'>;
type Key = Pick<Receipt, 'round' | 'seq'>;

/** Between rounds every well-formed update is of a wrong round. */
const NO_ROUND: Addressed = { round: -1, kind: 'training', modelVersion: -1 };
const ACCEPTED: Verdict = { verdict: 'accepted', reason: null, final: false };
const DUPLICATE: Verdict = { verdict: 'duplicate', reason: null, final: false };

/** A counted update with the bytes it came in, which a board may send again. */
interface Counted {
  readonly update: Update;
  readonly payload: Uint8Array;
}

/** At most one update of a device is counted for each round. */
function placeOf({ device, round }: Pick<Update, 'device' | 'round'>): string {
  return `${round}/${device}`;
}

function byDeviceAndRound(a: Update, b: Update): number {
  return a.device === b.device ? a.round - b.round : a.device < b.device ? -1 : 1;
}

export function createIntake(options: IntakeOptions): Intake {
  const { store, topics, gate, frame, lateRounds, reply, onCounted, onRefused, log } = options;
  let counted = new Map<string, Counted>();
  const answer = createReplies(store, reply, log);
  let current = NO_ROUND;
  /** Rounds below this one have closed. */
  let closedBelow = (store.lastRecord()?.round ?? -1) + 1;

  const refuse = (device: string, { reason, detail, key }: UpdateRefusal): Verdict | null => {
    const isPast = reason === 'wrong-round' && key !== null && key.round < closedBelow;
    if (isPast && store.isCounted({ ...key, device })) return { ...DUPLICATE, final: true };
    // The next round will count it: nothing is said before that has opened, and the board sends again.
    if (isPast && current === NO_ROUND && isLateBy(closedBelow, key.round, lateRounds)) return null;
    if (reason === 'wrong-round' && key !== null && key.round > closedBelow) options.onAhead(device, key.round);
    const shown = isPast ? 'late' : reason;
    log.warn({ device, reason: shown, detail, ...key }, 'update rejected');
    return rejected(store, device, shown);
  };
  const count = (device: string, update: Update, payload: Uint8Array): Verdict => {
    const { round, seq } = update;
    switch (store.accept({ round, device, seq }, payload, current.round)) {
      case 'new':
        counted.set(placeOf(update), { update, payload });
        gate.proved(device);
        onCounted(update, payload.length, round < current.round);
        return ACCEPTED;
      case 'duplicate': // of a round that is closed for good, when it is not among what this one counts
        return { ...DUPLICATE, final: !counted.has(placeOf(update)) };
      case 'other-seq':
        log.warn({ device, round, seq }, 'update rejected: another one of this round is counted');
        return rejected(store, device, 'wrong-round');
    }
  };
  const judge = (device: string, payload: Uint8Array): { key: Key | null; verdict: Verdict | null } => {
    const known = counted.get(placeOf({ device, round: current.round }));
    if (known !== undefined && Buffer.compare(known.payload, payload) === 0)
      return { key: known.update, verdict: DUPLICATE }; // sent again: decoding it is what costs most
    const decoded = readUpdate(frame, device, payload, current, lateRounds);
    if (!decoded.ok) return { key: decoded.key, verdict: refuse(device, decoded) };
    return { key: decoded.value, verdict: count(device, decoded.value, payload) };
  };
  return {
    open(round) {
      gate.flush();
      current = round;
      closedBelow = round.round;
      counted = countedBefore(options, round);
    },
    count: () => counted.size,
    round: () => closedBelow,
    devices: () => devicesIn(counted, current.round),
    has: (device) => counted.has(placeOf({ device, round: current.round })),
    close() {
      gate.flush();
      closedBelow = current.round + 1;
      current = NO_ROUND;
      return [...counted.values()].map(({ update }) => update).sort(byDeviceAndRound);
    },
    handle({ topic, payload }) {
      const device = topics.deviceOf(topic);
      if (device === null) return;
      try {
        if (!gate.admits(device)) return;
        const { key, verdict } = judge(device, payload);
        if (verdict !== null && verdict.reason !== null) onRefused(device, verdict.reason);
        if (key !== null && verdict !== null) answer(device, { round: key.round, seq: key.seq, ...verdict });
      } catch (error) {
        log.error({ device, error: String(error) }, 'update not counted: the store failed');
      }
    },
  };
}

/** Whose update of this very round is among them. */
function devicesIn(counted: ReadonlyMap<string, Counted>, round: number): readonly string[] {
  return [...counted.values()].flatMap(({ update }) => (update.round === round ? update.device : []));
}

function rejected(store: RoundStore, device: string, reason: RejectReason): Verdict {
  store.reject(reason, device);
  return { verdict: 'rejected', reason, final: true };
}

/** What the store holds of a round that is opened again, however late it came: it is counted, whatever the settings are by now. */
function countedBefore({ store, frame, log }: IntakeOptions, round: OpenRound): Map<string, Counted> {
  const counted = new Map<string, Counted>();
  for (const { key, payload } of store.updates()) {
    const decoded = readUpdate(frame, key.device, payload, round, MAX_LATE_ROUNDS);
    if (decoded.ok) counted.set(placeOf(key), { update: decoded.value, payload });
    else log.error({ ...key, detail: decoded.detail }, 'a counted update does not decode any more');
  }
  return counted;
}

/** Sends receipts as soon as the disk has what they are about: those that come while it is waited for share the next wait. */
function createReplies(store: RoundStore, reply: IntakeOptions['reply'], log: Log): IntakeOptions['reply'] {
  let waiting: (readonly [string, Receipt])[] = [];
  let isBusy = false;
  const send = async () => {
    isBusy = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await store.durable();
        for (const [device, receipt] of batch) reply(device, receipt);
      } catch (error) {
        log.error({ receipts: batch.length, error: String(error) }, 'no receipts: the disk did not take the updates');
      }
    }
    isBusy = false;
  };
  return (device, receipt) => {
    waiting.push([device, receipt]);
    if (!isBusy) void send();
  };
}
