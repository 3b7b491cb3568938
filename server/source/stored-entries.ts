/**
 * What the session journal holds, as keys and values. A client's name is percent-encoded in a key, so a colon always ends it;
 * numbers have sixteen digits, so that keys sort as they do. Values are Node's structured clones (node:v8).
 */
import type { Buffer } from 'node:buffer';
import { deserialize, serialize } from 'node:v8';

/** A packet as aedes hands it over: `brokerId` and `brokerCounter` name it while the broker runs. */
export interface BrokerPacket {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: number;
  readonly retain: boolean;
  readonly brokerId?: string;
  readonly brokerCounter?: number;
  readonly messageId?: number;
  readonly clientId?: string;
}

export interface StoredPacket {
  readonly cmd: 'publish';
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: number;
  readonly retain: boolean;
}

export interface RetainedPacket extends StoredPacket {
  /** Wall time, milliseconds. */
  readonly storedMs: number;
}

export interface StoredSession {
  /** Filter → granted QoS. */
  readonly filters: Map<string, number>;
  /** When the client last came or went, wall time, milliseconds. */
  seenMs: number;
}

export interface ClientWill {
  readonly clientId: string;
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: number;
  readonly retain: boolean;
}

/** All that a journal held. */
export interface StoredEntries {
  readonly sessions: ReadonlyMap<string, StoredSession>;
  /** Ascending number. */
  readonly messages: ReadonlyMap<number, StoredPacket>;
  /** Who waits for which message, ascending number for each client. */
  readonly backlog: readonly { readonly clientId: string; readonly number: number }[];
  readonly retained: readonly RetainedPacket[];
  readonly wills: readonly ClientWill[];
}

export const sessionKey = (clientId: string) => `s:${encodeURIComponent(clientId)}`;
export const willKey = (clientId: string) => `w:${encodeURIComponent(clientId)}`;
export const retainedKey = (topic: string) => `r:${topic}`;
export const messageKey = (number: number) => `m:${padded(number)}`;
export const backlogKey = (clientId: string, number: number) => `b:${encodeURIComponent(clientId)}:${padded(number)}`;
const padded = (number: number) => String(number).padStart(16, '0');

export const encodeEntry = (value: object): Buffer => serialize(value);

/** @param entries in order of their keys. @throws Error when one is not what a journal's writer made */
export function decodeEntries(entries: Iterable<readonly [string, Uint8Array]>): StoredEntries {
  const sessions = new Map<string, StoredSession>();
  const messages = new Map<number, StoredPacket>();
  const backlog: { clientId: string; number: number }[] = [];
  const retained: RetainedPacket[] = [];
  const wills: ClientWill[] = [];
  for (const [key, value] of entries) {
    const [kind, name = '', digits = ''] = key.split(':');
    if (kind === 'b') backlog.push({ clientId: decodeURIComponent(name), number: numberOf(digits) });
    else if (kind === 'm') messages.set(numberOf(name), decode(value, 'topic'));
    else if (kind === 'r') retained.push(decode(value, 'topic'));
    else if (kind === 's') sessions.set(decodeURIComponent(name), decode(value, 'filters'));
    else if (kind === 'w') wills.push(decode(value, 'clientId'));
    else throw new Error(`not a key of the journal: ${key.slice(0, 40)}`);
  }
  return { sessions, messages, backlog, retained, wills };
}

function decode<T extends object>(bytes: Uint8Array, property: keyof T): T {
  const value: unknown = deserialize(bytes);
  if (typeof value === 'object' && value !== null && property in value) return value as T;
  throw new Error('not a value of the journal');
}

function numberOf(digits: string): number {
  if (/^\d{16}$/.test(digits)) return Number(digits);
  throw new Error('not a number of the journal');
}
