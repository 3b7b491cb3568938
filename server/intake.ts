/**
 * Uplink messages → counted updates: decode, check, commit under (round, device, seq), then the receipt.
 * Invariant: a receipt is only sent for what the store has committed; the transport acknowledges after that. Whatever comes in,
 * nothing is thrown: a refusal is data, counted by reason.
 */
import type { Log } from '../core/base/log.ts';
import type { Message } from '../core/link/transport.ts';
import type { UpdateExpectation, UpdateRefusal } from '../core/wire/decode.ts';
import { decodeUpdate } from '../core/wire/decode.ts';
import type { Receipt } from '../core/wire/downlink.ts';
import type { Topics } from '../core/wire/topics.ts';
import type { RejectReason, Update } from '../core/wire/update.ts';
import type { OpenRound, RoundStore } from './store/round-store.ts';

export interface IntakeOptions {
  readonly store: RoundStore;
  readonly topics: Topics;
  /** What every update must look like, whatever its round and device. */
  readonly frame: Pick<UpdateExpectation, 'shapeHash' | 'spec' | 'layout' | 'limits'>;
  readonly reply: (device: string, receipt: Receipt) => void;
  /** Called after an update has been counted. */
  readonly onCounted: (update: Update, bytes: number) => void;
  /** Called after an update has been refused. */
  readonly onRefused: (device: string, reason: RejectReason) => void;
  readonly log: Log;
}

export interface Intake {
  /** From now on updates of this round are counted; those that the store holds already are. */
  open(round: OpenRound): void;
  /** Updates counted in the open round so far. */
  count(): number;
  /** The devices of these. */
  devices(): readonly string[];
  /** Whether an update of this device is among them. */
  has(device: string): boolean;
  /** Ends the round: later updates are late. Returns what was counted, sorted by device. */
  close(): readonly Update[];
  /** Handles one uplink message in one turn of the event loop; never throws. */
  handle(message: Message): void;
}

type Verdict = Omit<Receipt, 'round' | 'seq'>;
type Key = Pick<Receipt, 'round' | 'seq'>;
type Addressed = Pick<OpenRound, 'round' | 'kind' | 'modelVersion'>;

/** Between rounds every well-formed update is of a wrong round. */
const NO_ROUND: Addressed = { round: -1, kind: 'training', modelVersion: -1 };
const ACCEPTED: Verdict = { verdict: 'accepted', reason: null, final: false };
const DUPLICATE: Verdict = { verdict: 'duplicate', reason: null, final: false };

export function createIntake(options: IntakeOptions): Intake {
  const { store, topics, frame, reply, onCounted, onRefused, log } = options;
  const counted = new Map<string, Update>();
  let current = NO_ROUND;
  /** Rounds below this one have closed. */
  let closedBelow = (store.lastRecord()?.round ?? -1) + 1;

  const decode = (device: string, payload: Uint8Array) => {
    const { round, kind, modelVersion } = current;
    return decodeUpdate(payload, { ...frame, device, round, kind, modelVersion });
  };
  const reject = (reason: RejectReason): Verdict => {
    store.reject(reason);
    return { verdict: 'rejected', reason, final: true };
  };
  const refuse = (device: string, { reason, detail, key }: UpdateRefusal): Verdict => {
    const isPast = reason === 'wrong-round' && key !== null && key.round < closedBelow;
    if (isPast && store.isCounted({ ...key, device })) return { ...DUPLICATE, final: true };
    const shown = isPast ? 'late' : reason;
    log.warn({ device, reason: shown, detail, ...key }, 'update rejected');
    return reject(shown);
  };
  const count = (device: string, update: Update, payload: Uint8Array): Verdict => {
    const { round, seq } = update;
    switch (store.accept({ round, device, seq }, payload)) {
      case 'new':
        counted.set(device, update);
        onCounted(update, payload.length);
        return ACCEPTED;
      case 'duplicate':
        return DUPLICATE;
      case 'other-seq':
        log.warn({ device, round, seq }, 'update rejected: another one of this round is counted');
        return reject('wrong-round');
    }
  };
  const judge = (device: string, payload: Uint8Array): { key: Key | null; verdict: Verdict } => {
    const decoded = decode(device, payload);
    if (!decoded.ok) return { key: decoded.key, verdict: refuse(device, decoded) };
    return { key: decoded.value, verdict: count(device, decoded.value, payload) };
  };
  return {
    open(round) {
      current = round;
      closedBelow = round.round;
      counted.clear();
      for (const { key, payload } of store.updates()) {
        const decoded = decode(key.device, payload);
        if (decoded.ok) counted.set(key.device, decoded.value);
        else log.error({ ...key, detail: decoded.detail }, 'a counted update does not decode any more');
      }
    },
    count: () => counted.size,
    devices: () => [...counted.keys()],
    has: (device) => counted.has(device),
    close() {
      closedBelow = current.round + 1;
      current = NO_ROUND;
      return [...counted.values()].sort((a, b) => (a.device < b.device ? -1 : 1));
    },
    handle({ topic, payload }) {
      const device = topics.deviceOf(topic);
      if (device === null) return;
      try {
        const { key, verdict } = judge(device, payload);
        if (verdict.reason !== null) onRefused(device, verdict.reason);
        if (key !== null) reply(device, { round: key.round, seq: key.seq, ...verdict });
      } catch (error) {
        log.error({ device, error: String(error) }, 'update not counted: the store failed');
      }
    },
  };
}
