/**
 * The aggregator's memory: what has to survive a crash so that a restart reaches the same bits.
 * Every call is one transaction: it happened wholly or not at all, and is durable against a crash of the process when it returns.
 * Against a power cut, where that is asked for: all but `accept` and `reject`, which `durable` is for, many at a time.
 * All calls throw AppError `storage-failed` when the medium fails.
 */

import type { Epoch } from '../../core/wire/epoch.ts';
import type { RejectReason } from '../../core/wire/update.ts';
import type { FleetState } from '../fleet-state.ts';
import type { BoardReport, RoundRecord } from '../record.ts';

export interface OpenRound {
  /** 0 is the statistics round. */
  readonly round: number;
  readonly kind: 'statistics' | 'training';
  /** Version of the global model that boards train from. */
  readonly modelVersion: number;
  /** Devices that were online when the round opened, sorted. */
  readonly asked: readonly string[];
}

/** Names an update; a board never gives two updates the same key. */
export interface UpdateKey {
  readonly round: number;
  readonly device: string;
  readonly seq: number;
}

/** `other-seq`: the device has another update counted in this round already. */
export type Acceptance = 'new' | 'duplicate' | 'other-seq';

export interface StoredUpdate {
  readonly key: UpdateKey;
  readonly payload: Uint8Array;
}

export interface ClosedRound {
  readonly record: RoundRecord;
  /** The state that the round produced. */
  readonly global: FleetState;
  /** Those counted, one for each device. */
  readonly boards: readonly CountedBoard[];
  /** What the counted updates said of their boards, for those who look (`history.ts`). */
  readonly reports?: readonly BoardReport[];
  /** Wall time, milliseconds since 1970. */
  readonly closedAtMs?: number;
}

export interface CountedBoard {
  readonly device: string;
  /** Its stream has ended. */
  readonly ended: boolean;
  /** L2 norm of its model change as it came; null when none travelled. */
  readonly norm: number | null;
  /** The change was scaled down. */
  readonly wasClipped: boolean;
}

export interface RoundStore {
  /** The life that the store is in (`core/wire/epoch.ts`); another one only after it was closed and `beginNewEpoch` was called. */
  epoch(): Epoch;
  /** The newest global state, or null in a new store. */
  global(): FleetState | null;
  /** Stores the state before the first round. */
  begin(global: FleetState): void;

  /** The round that is open, or null between rounds. */
  openRound(): OpenRound | null;
  /** Opens a round; the same round again replaces who is asked and keeps what was counted. */
  open(round: OpenRound): void;
  /** Counts an update in the round `takenIn`, its own unless it came late: at most one per key's round and device, ever. */
  accept(key: UpdateKey, payload: Uint8Array, takenIn?: number): Acceptance;
  /** Resolves when what was accepted and refused before this call survives a power cut, if the store is to survive any; rejects with `storage-failed`. */
  durable(): Promise<void>;
  /** Whether exactly this key was counted, in whatever round. */
  isCounted(key: UpdateKey): boolean;
  /** Updates counted in the open round, sorted by device; of late ones the key's round is an earlier one. */
  updates(): readonly StoredUpdate[];
  /**
   * Counts refusals in the open round, or in the last one when none is open. By device as well, for a bounded number of devices a
   * round and of rounds; '' and those beyond are counted together.
   */
  reject(reason: RejectReason, device: string, count?: number): void;
  /** Refusals in a round by reason; only reasons that occurred. */
  rejections(round: number): Readonly<Record<string, number>>;
  /** Closes the open round: record, new state and ended devices at once. Payloads are dropped, keys stay. */
  close(closed: ClosedRound): void;

  /** The newest record, or null. */
  lastRecord(): RoundRecord | null;
  /** Keys counted in a round, those of late updates included, sorted by device, with the size of their payload. */
  counted(round: number): readonly (UpdateKey & { readonly bytes: number })[];
  /** Devices of which an update was ever counted, sorted. */
  devices(): readonly string[];
  /** A board that does not come back: it is not listed any more, nor has it ended. What it was counted for stays. False when it is not known. */
  forget(device: string): boolean;
  /** Writes to the medium and changes nothing: returns when a receipt could be given now. */
  probe(): void;
  /** Devices whose stream has ended, sorted. */
  ended(): readonly string[];

  /** Releases the medium. May be called twice. */
  dispose(): void;
}
