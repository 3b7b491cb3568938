/**
 * A message link, as little of MQTT 3.1.1 as the exchange needs. `mqtt.ts` is the real one, `memory.ts` the faulty one for tests;
 * one contract suite runs over both. No transport is trusted for correctness: receipts, outbox and keys are (ARCHITECTURE §3).
 */
import type { Lifecycle } from '../base/lifecycle.ts';

export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retained: boolean;
}

export interface PublishOptions {
  readonly qos: 0 | 1;
  readonly retain?: boolean;
}

/** What the broker publishes in a client's name when the connection breaks without a DISCONNECT (MQTT 3.1.1 §3.1.2.5). */
export interface LastWill extends PublishOptions {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** Called one message at a time per transport; with QoS 1 the message is acknowledged after the promise resolves. Must not reject. */
export type MessageHandler = (message: Message) => void | Promise<void>;

export interface Transport extends Lifecycle {
  /** Resolves when the broker has acknowledged (QoS 1) or the bytes are handed over (QoS 0); rejects with AppError 'link-unavailable' or 'link-untrusted' when the link is down. Queues nothing. */
  publish(topic: string, payload: Uint8Array, options: PublishOptions): Promise<void>;
  /** Filters of MQTT 3.1.1 §4.7, QoS 1. Survives reconnects. */
  subscribe(filter: string, handler: MessageHandler): Promise<void>;
  /** Called with true at each (re)connection, after the subscriptions are back, and with false at each loss. */
  onState(listener: (connected: boolean) => void): void;
  /** Bytes written to and read from the link so far, all packets counted. */
  traffic(): { readonly sentBytes: number; readonly receivedBytes: number };
}
