/**
 * Persistent sessions: who subscribed to what, and when each was last used. Clients that come once and never again leave a session
 * behind, so there is a bound on their number and on their age; those unused for longest go first, never one that is connected.
 */
import type { BrokerLimits } from './broker-limits.ts';
import { createFilterIndex, type Subscriber } from './filter-index.ts';
import type { SessionJournal } from './session-journal.ts';
import { encodeEntry, type StoredSession, sessionKey } from './stored-entries.ts';

export interface SessionTableParts {
  readonly limits: BrokerLimits;
  /** Wall time, milliseconds. */
  readonly wallMs: () => number;
  readonly journal: SessionJournal;
  readonly isConnected: (clientId: string) => boolean;
  /** The session is gone. */
  readonly onForgotten: (clientId: string) => void;
}

export interface AskedFilter {
  readonly topic: string;
  readonly qos: number;
}

export function createSessionTable({ limits, wallMs, journal, isConnected, onForgotten }: SessionTableParts) {
  const sessions = new Map<string, StoredSession>();
  const index = createFilterIndex();
  const save = (clientId: string, session: StoredSession) => journal.put(sessionKey(clientId), encodeEntry(session));
  const forget = (clientId: string) => {
    const session = sessions.get(clientId);
    if (session === undefined) return;
    for (const filter of session.filters.keys()) index.remove(clientId, filter);
    sessions.delete(clientId);
    journal.del(sessionKey(clientId));
    onForgotten(clientId);
  };
  const forgetOldest = () => {
    let oldest: readonly [string, StoredSession] | null = null;
    for (const entry of sessions) {
      if ((oldest === null || entry[1].seenMs < oldest[1].seenMs) && !isConnected(entry[0])) oldest = entry;
    }
    if (oldest !== null) forget(oldest[0]);
  };
  const begin = (clientId: string): StoredSession => {
    if (sessions.size >= limits.sessions) forgetOldest();
    const session: StoredSession = { filters: new Map(), seenMs: wallMs() };
    sessions.set(clientId, session);
    return session;
  };
  return {
    forget,
    add(clientId: string, asked: readonly AskedFilter[]): void {
      const session = sessions.get(clientId) ?? begin(clientId);
      for (const { topic, qos } of asked) {
        session.filters.set(topic, qos);
        index.add(clientId, topic, qos);
      }
      save(clientId, session);
    },
    remove(clientId: string, filters: readonly string[]): void {
      const session = sessions.get(clientId);
      if (session === undefined) return;
      for (const filter of filters) {
        session.filters.delete(filter);
        index.remove(clientId, filter);
      }
      save(clientId, session);
    },
    filtersOf: (clientId: string): AskedFilter[] =>
      [...(sessions.get(clientId)?.filters ?? [])].map(([topic, qos]) => ({ topic, qos })),
    /** The client came or went. */
    touch(clientId: string): void {
      const session = sessions.get(clientId);
      if (session === undefined) return;
      session.seenMs = wallMs();
      save(clientId, session);
    },
    match: (topic: string): Subscriber[] => index.match(topic),
    /** Forgets what was not used since; returns how many. */
    expire(beforeMs: number): number {
      const dead = [...sessions].filter(([clientId, { seenMs }]) => seenMs < beforeMs && !isConnected(clientId));
      for (const [clientId] of dead) forget(clientId);
      return dead.length;
    },
    counts: () => ({ sessions: sessions.size, filters: index.count() }),
    load(stored: ReadonlyMap<string, StoredSession>): void {
      for (const [clientId, session] of stored) {
        sessions.set(clientId, session);
        for (const [filter, qos] of session.filters) index.add(clientId, filter, qos);
      }
    },
  };
}
