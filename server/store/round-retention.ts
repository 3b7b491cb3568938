/**
 * Which closed rounds are remembered: the newest, with everybody whom they counted. When a round closes, in its transaction, older
 * ones are forgotten: their record, their keys, their refusals. What is drawn over rounds (`report-tables.ts`) is small and stays.
 * Invariant: what may still be counted is known. No key goes before every round that could take it late has closed, and however far
 * behind the store is, one close forgets a bounded number of rows. SQLite uses their pages again: the file keeps its size.
 */
import type Database from 'better-sqlite3';
import { MAX_LATE_ROUNDS } from '../../core/wire/limits.ts';
import { TAKEN } from './taken.ts';

/** Rows after which a close forgets no further round: some 20 ms. */
const MOST_ROWS = 10_000;
/** The same in rounds, for those that counted hardly anybody. */
const MOST_ROUNDS = 500;

export interface RoundRetention {
  /** Call inside the transaction that closes the round. */
  forget(closedRound: number): void;
}

/** @param keepRounds closed rounds that stay, at least `MAX_LATE_ROUNDS`; 0 = all */
export function roundRetention(db: Database.Database, keepRounds: number): RoundRetention {
  const oldest = db.prepare<[], number | null>('SELECT min(round) FROM records').pluck();
  const dropUpdates = db.prepare<[{ taken: number }]>(`DELETE FROM updates WHERE ${TAKEN}`);
  const dropRejections = db.prepare<[number]>('DELETE FROM rejections WHERE round = ?');
  const dropRecord = db.prepare<[number]>('DELETE FROM records WHERE round = ?');
  const kept = Math.max(keepRounds, MAX_LATE_ROUNDS);
  return {
    forget(closedRound) {
      if (keepRounds === 0) return;
      let rows = 0;
      for (let rounds = 0; rounds < MOST_ROUNDS && rows < MOST_ROWS; rounds++) {
        const round = oldest.get() ?? closedRound;
        if (round > closedRound - kept) return;
        rows += dropUpdates.run({ taken: round }).changes + dropRejections.run(round).changes;
        dropRecord.run(round);
      }
    },
  };
}
