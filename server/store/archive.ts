/** Closed rounds of a store, read by another process while the aggregator runs or after it. */
import Database from 'better-sqlite3';
import { AppError } from '../../core/base/errors.ts';
import type { RoundRecord } from '../record.ts';

export interface ArchivedRound {
  readonly record: RoundRecord;
  /** Counted updates, sorted by device. */
  readonly updates: readonly { readonly device: string; readonly seq: number; readonly bytes: number }[];
  /** Refusals by reason, those after the round had closed included. */
  readonly rejections: Readonly<Record<string, number>>;
}

/**
 * One closed round, or the newest.
 * @throws AppError `input-missing` when there is no such file or round, `storage-failed` when it cannot be read
 */
export function readArchivedRound(path: string, round: number | 'last'): ArchivedRound {
  const db = openReadOnly(path);
  try {
    const row = db
      .prepare<[number | null], { round: number; body: string }>(
        'SELECT round, body FROM records WHERE round = coalesce(?, (SELECT max(round) FROM records))',
      )
      .get(round === 'last' ? null : round);
    if (row === undefined) {
      throw new AppError(
        'input-missing',
        round === 'last' ? 'no round has closed yet' : `round ${round} has not closed`,
        {
          where: path,
        },
      );
    }
    const rejections = db
      .prepare<[number], { reason: string; count: number }>('SELECT reason, count FROM rejections WHERE round = ?')
      .all(row.round);
    return {
      record: JSON.parse(row.body),
      updates: db
        .prepare<[number], ArchivedRound['updates'][number]>(
          'SELECT device, seq, bytes FROM updates WHERE round = ? ORDER BY device',
        )
        .all(row.round),
      rejections: Object.fromEntries(rejections.map(({ reason, count }) => [reason, count])),
    };
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('storage-failed', 'the round store cannot be read', { where: path, cause });
  } finally {
    db.close();
  }
}

function openReadOnly(path: string): Database.Database {
  try {
    return new Database(path, { readonly: true, fileMustExist: true });
  } catch (cause) {
    throw new AppError('input-missing', 'there is no round store', {
      where: path,
      hint: 'Give the state folder of the aggregator with --state.',
      cause,
    });
  }
}
