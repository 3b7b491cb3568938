/**
 * RoundStore in one SQLite file, WAL. With durability `full` a receipt is only sent for what a power cut cannot take back;
 * `normal` is faster and safe against a crash of the process, which is enough for replays.
 * An update is written without waiting for the disk; `durable` then waits once for all that came meanwhile (`sync-log.ts`).
 * Invariant: `updates` holds one small row per key's round and device, as long as its round is remembered; `payloads` what the open
 * round took, and is empty between rounds.
 * Only the newest `KEPT_GLOBALS` states are kept, and as many closed rounds as are asked for (`round-retention.ts`).
 */
import Database from 'better-sqlite3';
import { AppError } from '../../core/base/errors.ts';
import type { ModelSpec } from '../../core/model/spec.ts';
import { shapeHash } from '../../core/model/spec.ts';
import type { Epoch } from '../../core/wire/epoch.ts';
import type { FleetState } from '../fleet-state.ts';
import type { RoundRecord } from '../record.ts';
import { drawEpoch } from './draw-epoch.ts';
import type { GlobalRow } from './global-row.ts';
import { globalFromRow, rowFromGlobal } from './global-row.ts';
import { reportTables } from './report-tables.ts';
import { roundRetention } from './round-retention.ts';
import type { CountedBoard, RoundStore, StoredUpdate, UpdateKey } from './round-store.ts';
import { migrate, SCHEMA_STEPS } from './schema.ts';
import { syncLog } from './sync-log.ts';
import { TAKEN } from './taken.ts';

export type Durability = 'full' | 'normal';

/** Versions that stay in the file. */
const KEPT_GLOBALS = 3;
/** Refusals by device: rows a round (devices times reasons), and rounds. */
const MAX_REFUSAL_ROWS = 512;
const KEPT_REFUSAL_ROUNDS = 100;

/**
 * Opens or creates the store of one fleet.
 * @param path a file in an existing folder
 * @param keepRounds closed rounds to remember, at least `MAX_LATE_ROUNDS`; 0 = all
 * @throws AppError `storage-failed`, or `shape-mismatch` when the file belongs to another model
 */
export function openSqliteStore(
  path: string,
  spec: ModelSpec,
  durability: Durability = 'full',
  keepRounds = 0,
): RoundStore {
  const db = guarded(path, () => opened(path, durability));
  try {
    guarded(path, () => migrate(db));
    guarded(path, () => identify(db, path, shapeHash(spec)));
    return storeOver(db, path, spec, { durability, keepRounds });
  } catch (error) {
    db.close();
    throw error;
  }
}

function opened(path: string, durability: Durability): Database.Database {
  const db = new Database(path);
  db.pragma('journal_mode = WAL');
  db.pragma(`synchronous = ${durability}`);
  db.pragma('busy_timeout = 5000');
  return db;
}

function identify(db: Database.Database, path: string, hash: number): void {
  const known = db.prepare<[], { shape_hash: number }>('SELECT shape_hash FROM identity').get();
  if (known === undefined) db.prepare('INSERT INTO identity (shape_hash) VALUES (?)').run(hash);
  else if (known.shape_hash !== hash) {
    throw new AppError('shape-mismatch', 'the stored rounds belong to another model', {
      where: path,
      hint: 'Use the model settings of before, or another state folder.',
    });
  }
  db.prepare('UPDATE identity SET epoch = ? WHERE epoch IS NULL').run(drawEpoch());
}

function storeOver(
  db: Database.Database,
  path: string,
  spec: ModelSpec,
  { durability, keepRounds }: { readonly durability: Durability; readonly keepRounds: number },
): RoundStore {
  const sql = statements(db);
  const reports = reportTables(db);
  const retention = roundRetention(db, keepRounds);
  const within = <T>(action: () => T): T => guarded(path, action);
  db.pragma('synchronous = normal');
  const inTransaction = (action: () => void): void =>
    within(() => {
      db.pragma(`synchronous = ${durability}`);
      try {
        db.transaction(action)();
      } finally {
        db.pragma('synchronous = normal');
      }
    });
  const currentRound = () => sql.currentRound.get() ?? 0;
  const insertGlobal = (global: FleetState) => {
    sql.insertGlobal.run(rowFromGlobal(global));
    sql.forgetGlobals.run(KEPT_GLOBALS);
  };
  const epoch = within(() => sql.epoch.get() as Epoch);
  return {
    epoch: () => epoch,
    global: () => within(() => mapped(sql.newestGlobal.get(), (row) => globalFromRow(row, spec))),
    begin: (global) => inTransaction(() => insertGlobal(global)),
    openRound: () => within(() => mapped(sql.openRound.get(), (row) => JSON.parse(row.body))),
    open: (round) => inTransaction(() => sql.setOpenRound.run(round.round, JSON.stringify(round))),
    accept: (key, payload, takenIn = key.round) =>
      within(() => db.transaction(() => accept(sql, key, payload, takenIn))()),
    async durable() {
      if (durability === 'normal') return;
      await syncLog(path).catch((error: unknown) => {
        throw storageError(path, error);
      });
    },
    isCounted: ({ round, device, seq }) => within(() => sql.seqOf.get(round, device)?.seq === seq),
    updates: () => within(() => sql.payloads.all().map(storedUpdate)),
    reject: (reason, device, count = 1) =>
      within(() => db.transaction(() => reject(sql, currentRound(), reason, device, count))()),
    rejections: (round) => within(() => Object.fromEntries(sql.rejections.all(round).map((r) => [r.reason, r.count]))),
    close: (closed) =>
      inTransaction(() => {
        const { record, global, boards } = closed;
        insertGlobal(global);
        sql.insertRecord.run(record.round, JSON.stringify(record));
        sql.dropPayloads.run();
        sql.clearOpenRound.run();
        sql.dropRefusals.run(record.round - KEPT_REFUSAL_ROUNDS);
        for (const board of boards) setDevice(sql, record.round, board);
        reports.write(closed);
        retention.forget(record.round);
      }),
    forget(device) {
      let isKnown = false;
      inTransaction(() => {
        isKnown = sql.forgetDevice.run(device).changes > 0;
        reports.forget(device);
      });
      return isKnown;
    },
    probe: () => within(() => void db.pragma(`user_version = ${SCHEMA_STEPS.length}`)),
    lastRecord: () => within(() => mapped(sql.lastRecord.get(), (row) => JSON.parse(row.body) as RoundRecord)),
    counted: (round) => within(() => sql.counted.all({ taken: round })),
    devices: () => within(() => sql.devices.all().map((row) => row.device)),
    ended: () => within(() => sql.ended.all().map((row) => row.device)),
    dispose: () => {
      if (db.open) db.close();
    },
  };
}

type Statements = ReturnType<typeof statements>;

function statements(db: Database.Database) {
  return {
    epoch: db.prepare<[], Epoch>('SELECT epoch FROM identity').pluck(),
    newestGlobal: db.prepare<[], GlobalRow>('SELECT * FROM globals ORDER BY generation DESC LIMIT 1'),
    insertGlobal: db.prepare<[GlobalRow]>(
      `INSERT INTO globals (version, params, averaged, first_moment, second_moment, moment_steps, temperature, prototype_values, prototype_weight, mean, std)
       VALUES (@version, @params, @averaged, @first_moment, @second_moment, @moment_steps, @temperature, @prototype_values, @prototype_weight, @mean, @std)`,
    ),
    forgetGlobals: db.prepare<[number]>(
      'DELETE FROM globals WHERE generation <= (SELECT max(generation) FROM globals) - ?',
    ),
    currentRound: db
      .prepare<[], number | null>('SELECT coalesce((SELECT round FROM open_round), (SELECT max(round) FROM records))')
      .pluck(),
    openRound: db.prepare<[], { body: string }>('SELECT body FROM open_round'),
    setOpenRound: db.prepare<[number, string]>('INSERT OR REPLACE INTO open_round VALUES (1, ?, ?)'),
    clearOpenRound: db.prepare('DELETE FROM open_round'),
    seqOf: db.prepare<[number, string], { seq: number }>('SELECT seq FROM updates WHERE round = ? AND device = ?'),
    insertUpdate: db.prepare<[number, string, number, number, number | null]>(
      'INSERT INTO updates VALUES (?, ?, ?, ?, ?)',
    ),
    insertPayload: db.prepare<[number, string, Uint8Array]>('INSERT INTO payloads VALUES (?, ?, ?)'),
    payloads: db.prepare<[], UpdateRow>(
      'SELECT round, device, seq, payload FROM payloads JOIN updates USING (round, device) ORDER BY device, round',
    ),
    dropPayloads: db.prepare('DELETE FROM payloads'),
    counted: db.prepare<[{ taken: number }], UpdateKey & { bytes: number }>(
      `SELECT round, device, seq, bytes FROM updates WHERE ${TAKEN} ORDER BY device, round`,
    ),
    reject: db.prepare<[number, string, number]>(
      'INSERT INTO rejections VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count',
    ),
    refusalRows: db.prepare<[number], { rows: number }>('SELECT count(*) AS rows FROM refusals WHERE round = ?'),
    addToRefusal: db.prepare<[number, number, string, string]>(
      'UPDATE refusals SET count = count + ? WHERE round = ? AND device = ? AND reason = ?',
    ),
    insertRefusal: db.prepare<[number, string, string, number]>(
      'INSERT INTO refusals VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count',
    ),
    dropRefusals: db.prepare<[number]>('DELETE FROM refusals WHERE round <= ?'),
    rejections: db.prepare<[number], { reason: string; count: number }>(
      'SELECT reason, count FROM rejections WHERE round = ? ORDER BY reason',
    ),
    insertRecord: db.prepare<[number, string]>('INSERT INTO records VALUES (?, ?)'),
    lastRecord: db.prepare<[], { body: string }>('SELECT body FROM records ORDER BY round DESC LIMIT 1'),
    setDevice: db.prepare<[string, number, number, number, number | null]>(
      `INSERT INTO devices (device, ended, last_round, counted, clipped, last_norm) VALUES (?, ?, ?, 1, ?, ?)
       ON CONFLICT DO UPDATE SET ended = excluded.ended, last_round = excluded.last_round, counted = counted + 1,
         clipped = clipped + excluded.clipped, last_norm = coalesce(excluded.last_norm, last_norm)`,
    ),
    devices: db.prepare<[], { device: string }>('SELECT device FROM devices ORDER BY device'),
    forgetDevice: db.prepare<[string]>('DELETE FROM devices WHERE device = ?'),
    ended: db.prepare<[], { device: string }>('SELECT device FROM devices WHERE ended = 1 ORDER BY device'),
  };
}

interface UpdateRow extends UpdateKey {
  readonly payload: Uint8Array;
}

function accept(sql: Statements, key: UpdateKey, payload: Uint8Array, takenIn: number) {
  const known = sql.seqOf.get(key.round, key.device);
  if (known !== undefined) return known.seq === key.seq ? 'duplicate' : 'other-seq';
  const late = takenIn === key.round ? null : takenIn;
  sql.insertUpdate.run(key.round, key.device, key.seq, payload.length, late);
  sql.insertPayload.run(key.round, key.device, payload);
  return 'new';
}

function reject(sql: Statements, round: number, reason: string, device: string, count: number): void {
  sql.reject.run(round, reason, count);
  if (sql.addToRefusal.run(count, round, device, reason).changes > 0) return;
  const isFull = (sql.refusalRows.get(round)?.rows ?? 0) >= MAX_REFUSAL_ROWS;
  sql.insertRefusal.run(round, isFull ? '' : device, reason, count);
}

function setDevice(sql: Statements, round: number, { device, ended, norm, wasClipped }: CountedBoard): void {
  sql.setDevice.run(device, ended ? 1 : 0, round, wasClipped ? 1 : 0, norm);
}

function storedUpdate({ round, device, seq, payload }: UpdateRow): StoredUpdate {
  return { key: { round, device, seq }, payload };
}

function mapped<Row, T>(row: Row | undefined, map: (row: Row) => T): T | null {
  return row === undefined ? null : map(row);
}

/** Runs `action`; whatever the database throws becomes AppError `storage-failed`. */
function guarded<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw error instanceof AppError ? error : storageError(path, error);
  }
}

function storageError(path: string, cause: unknown): AppError {
  return new AppError('storage-failed', `the round store failed: ${cause instanceof Error ? cause.message : cause}`, {
    where: path,
    hint: 'Check free space, permissions and that the file is a round store of this version.',
    cause,
  });
}
