/** What a store says of closed rounds, of boards and of the newest model, read by another process while the aggregator runs or after it. */
import Database from 'better-sqlite3';
import { AppError } from '../../core/base/errors.ts';
import { type ModelSpec, shapeHash } from '../../core/model/spec.ts';
import type { FleetState } from '../fleet-state.ts';
import type { RoundRecord } from '../record.ts';
import { type GlobalRow, globalFromRow } from './global-row.ts';
import { TAKEN } from './taken.ts';

export interface ArchivedRound {
  readonly record: RoundRecord;
  /** Counted updates, sorted by device. */
  readonly updates: readonly {
    /** Earlier than the record's for an update that came late. */
    readonly round: number;
    readonly device: string;
    readonly seq: number;
    readonly bytes: number;
  }[];
  /** Refusals by reason, those after the round had closed included. */
  readonly rejections: Readonly<Record<string, number>>;
  /** The same by device, for the newest hundred rounds; device null: names beyond those kept, together. */
  readonly refusals: readonly { readonly device: string | null; readonly reason: string; readonly count: number }[];
}

/** What the aggregator has seen of one board. */
export interface BoardHistory {
  readonly device: string;
  /** The newest round that counted it, or null. */
  readonly lastRound: number | null;
  /** Updates counted, and how many of them were scaled down; since the store keeps count of it. */
  readonly counted: number;
  readonly clipped: number;
  /** L2 norm of its newest model change as it came; null when none has. */
  readonly lastNorm: number | null;
  readonly hasEnded: boolean;
  /** Refusals by reason in the newest hundred rounds. */
  readonly refused: Readonly<Record<string, number>>;
}

/**
 * One closed round, or the newest.
 * @throws AppError `input-missing` when there is no such file or round, `storage-failed` when it cannot be read
 */
export function readArchivedRound(path: string, round: number | 'last'): ArchivedRound {
  return reading(path, (db) => {
    const row = db
      .prepare<[number | null], { round: number; body: string }>(
        'SELECT round, body FROM records WHERE round = coalesce(?, (SELECT max(round) FROM records))',
      )
      .get(round === 'last' ? null : round);
    if (row === undefined) throw noSuchRound(db, path, round);
    const rejections = db
      .prepare<[number], { reason: string; count: number }>('SELECT reason, count FROM rejections WHERE round = ?')
      .all(row.round);
    return {
      record: JSON.parse(row.body),
      updates: db
        .prepare<[{ taken: number }], ArchivedRound['updates'][number]>(
          `SELECT round, device, seq, bytes FROM updates WHERE ${knowsBoards(db) ? TAKEN : 'round = @taken'} ORDER BY device, round`,
        )
        .all({ taken: row.round }),
      rejections: Object.fromEntries(rejections.map(({ reason, count }) => [reason, count])),
      refusals: knowsBoards(db)
        ? db
            .prepare<[number], ArchivedRound['refusals'][number]>(
              "SELECT nullif(device, '') AS device, reason, count FROM refusals WHERE round = ? ORDER BY device, reason",
            )
            .all(row.round)
        : [],
    };
  });
}

function noSuchRound(db: Database.Database, path: string, round: number | 'last'): AppError {
  if (round === 'last') return new AppError('input-missing', 'no round has closed yet', { where: path });
  const oldest = db.prepare<[], number | null>('SELECT min(round) FROM records').pluck().get() ?? 0;
  if (round >= oldest) return new AppError('input-missing', `round ${round} has not closed`, { where: path });
  const hint = `The oldest that is remembered is ${oldest}; rounds.keepRounds says how many are. What is drawn over rounds stays.`;
  return new AppError('input-missing', `round ${round} was forgotten`, { where: path, hint });
}

/** Every board that was ever counted, and every name that was refused, sorted. Errors as above. */
export function readBoards(path: string): readonly BoardHistory[] {
  return reading(path, (db) => {
    if (!knowsBoards(db)) return [];
    const refusals = db
      .prepare<[], { device: string; reason: string; count: number }>(
        "SELECT device, reason, sum(count) AS count FROM refusals WHERE device <> '' GROUP BY device, reason ORDER BY reason",
      )
      .all();
    const refused = new Map<string, Record<string, number>>();
    for (const { device, reason, count } of refusals) refused.set(device, { ...refused.get(device), [reason]: count });
    const boards = db
      .prepare<[], Omit<BoardHistory, 'refused' | 'hasEnded'> & { readonly ended: number }>(
        'SELECT device, last_round AS lastRound, counted, clipped, last_norm AS lastNorm, ended FROM devices',
      )
      .all()
      .map(({ ended, ...board }) => ({ ...board, hasEnded: ended === 1, refused: refused.get(board.device) ?? {} }));
    const counted = new Set(boards.map(({ device }) => device));
    const strangers = [...refused].filter(([device]) => !counted.has(device));
    return [...boards, ...strangers.map(([device, of]) => stranger(device, of))].sort((a, b) =>
      a.device < b.device ? -1 : 1,
    );
  });
}

function stranger(device: string, refused: BoardHistory['refused']): BoardHistory {
  return { device, lastRound: null, counted: 0, clipped: 0, lastNorm: null, hasEnded: false, refused };
}

/** A store that an older version left does not, until the aggregator has opened it. */
function knowsBoards(db: Database.Database): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'refusals'").get() !== undefined;
}

function reading<T>(path: string, read: (db: Database.Database) => T): T {
  const db = openReadOnly(path);
  try {
    return read(db);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('storage-failed', 'the round store cannot be read', { where: path, cause });
  } finally {
    db.close();
  }
}

/**
 * The newest global state.
 * @throws AppError `input-missing` when there is no such file or no state, `shape-mismatch` when it is another model's,
 * `storage-failed` when it cannot be read
 */
export function readArchivedGlobal(path: string, spec: ModelSpec): FleetState {
  const db = openReadOnly(path);
  try {
    const identity = db.prepare<[], { shape_hash: number }>('SELECT shape_hash FROM identity').get();
    if (identity?.shape_hash !== shapeHash(spec)) {
      throw new AppError('shape-mismatch', 'the store belongs to another model', {
        where: path,
        hint: 'Give the settings that the aggregator was started with.',
      });
    }
    const row = db.prepare<[], GlobalRow>('SELECT * FROM globals ORDER BY generation DESC LIMIT 1').get();
    if (row === undefined) throw new AppError('input-missing', 'no state has been stored yet', { where: path });
    return globalFromRow(row, spec);
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
