/**
 * What happens, as it happens: numbered events for whoever listens, the newest of them kept for those who come back.
 * Invariant: memory is bounded by `capacity`; a listener is called in the order of the numbers, in the turn in which the event came.
 */
import type { BoardState as SaidState } from '../core/wire/board-state.ts';
import type { DeviceStatus } from '../core/wire/downlink.ts';
import type { RejectReason } from '../core/wire/update.ts';
import type { ModalityQuality, OnlineScore, RoundRecord } from './record.ts';

/** `unknown`: it has not said since the aggregator started. */
export type BoardState = DeviceStatus['state'] | 'unknown';

/** What an event of each type says. */
export interface FleetEvents {
  'round-opened': { readonly round: number; readonly kind: RoundRecord['kind']; readonly asked: number };
  'update-counted': {
    readonly round: number;
    readonly device: string;
    readonly arrivedMs: number | null;
    readonly bytes: number;
    readonly windows: number;
    readonly backlog: number;
    /** Null when nothing was predicted. */
    readonly accuracy: number | null;
    /** In the model's order. */
    readonly modalities: readonly ModalityQuality[];
  };
  'update-refused': { readonly device: string; readonly reason: RejectReason };
  'round-closed': {
    readonly round: number;
    readonly version: number;
    readonly boards: number;
    readonly refused: number;
    readonly durationMs: number;
    readonly bytes: RoundRecord['bytes'];
    readonly online: OnlineScore | null;
    readonly clean: number | null;
  };
  'board': { readonly device: string; readonly state: BoardState };
  /** It does something else, or a sensor has failed or is well again. */
  'state': { readonly device: string } & SaidState;
  'board-forgotten': { readonly device: string };
  'link': { readonly isUp: boolean };
  'rounds-paused': { readonly isPaused: boolean };
}

export type FleetEvent = {
  [Type in keyof FleetEvents]: {
    readonly number: number;
    /** Wall time, milliseconds since 1970. */
    readonly atMs: number;
    readonly type: Type;
    readonly data: FleetEvents[Type];
  };
}[keyof FleetEvents];

export interface EventRing {
  push<Type extends keyof FleetEvents>(type: Type, data: FleetEvents[Type]): void;
  /** Number of the newest event, 0 before the first. */
  newest(): number;
  /** Events after this number, or null when some of them are not kept any more or it is of another ring. */
  after(number: number): readonly FleetEvent[] | null;
  /** Calls `listener` for every later event, until the returned function is called. */
  listen(listener: (event: FleetEvent) => void): () => void;
}

export function createEventRing(capacity: number, wallMs: () => number): EventRing {
  const kept: FleetEvent[] = []; // event n is at n % capacity
  const listeners = new Set<(event: FleetEvent) => void>();
  let newest = 0;
  return {
    push(type, data) {
      newest++;
      const event = { number: newest, atMs: wallMs(), type, data } as FleetEvent;
      kept[newest % capacity] = event;
      for (const listener of listeners) listener(event);
    },
    newest: () => newest,
    after(number) {
      if (number > newest || newest - number > capacity) return null;
      return Array.from({ length: newest - number }, (_, i) => kept[(number + 1 + i) % capacity] as FleetEvent);
    },
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
