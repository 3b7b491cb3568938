/**
 * The schema, as the list of steps that led to it. `user_version` counts the steps taken; a step is never edited, only followed.
 * Window rows are kept apart from their samples so that counting a backlog of days reads a few megabytes, not gigabytes.
 */
import { AppError } from '../../core/base/errors.ts';
import { type Db, transaction } from './transaction.ts';

const STEPS: readonly string[] = [
  `
  -- Raw stream: about one row per second and modality. id = t_first_us · 16 + modality, so that rowid order is time order.
  CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,
    samples INTEGER NOT NULL,
    channels INTEGER NOT NULL,
    times BLOB NOT NULL,          -- see chunks.ts
    "values" BLOB NOT NULL        -- float32 little-endian [samples, channels]
  );
  CREATE TABLE windows (
    idx INTEGER PRIMARY KEY,
    t_start_us INTEGER NOT NULL,
    label TEXT,
    facts BLOB NOT NULL           -- see windows.ts
  );
  CREATE TABLE window_values (
    idx INTEGER PRIMARY KEY,
    body BLOB NOT NULL            -- see windows.ts
  );
  -- Small state that changes with every transaction lives in one table, hence on one page.
  CREATE TABLE state (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE checkpoint (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    round INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    model_version INTEGER NOT NULL,
    params BLOB NOT NULL,
    residual BLOB NOT NULL
  );
  -- The primary key is the guarantee that no window is trained on twice.
  CREATE TABLE training_log (
    window_index INTEGER PRIMARY KEY,
    round INTEGER NOT NULL,
    seq INTEGER NOT NULL
  );
  CREATE TABLE outbox (
    round INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    payload BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    receipt TEXT,                 -- JSON of the last receipt
    PRIMARY KEY (round, seq)
  );
  CREATE TABLE settled (
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,         -- '' when counted
    count INTEGER NOT NULL,
    PRIMARY KEY (outcome, reason)
  ) WITHOUT ROWID;
  `,
  `
  ALTER TABLE checkpoint ADD COLUMN own BLOB NOT NULL DEFAULT x'';
  ALTER TABLE checkpoint ADD COLUMN history BLOB NOT NULL DEFAULT x'';
  `,
  `
  CREATE TABLE labels (
    t_us INTEGER PRIMARY KEY,     -- from here on until the next row
    label TEXT                    -- NULL: none
  );
  CREATE TABLE faults (
    id INTEGER PRIMARY KEY,
    t_us INTEGER NOT NULL,
    chip TEXT NOT NULL,
    fault TEXT NOT NULL,
    phase TEXT NOT NULL,          -- raised, cleared
    modalities TEXT NOT NULL,     -- JSON, names
    detail TEXT NOT NULL
  );
  `,
  `
  -- Updates that were moved out of the outbox's way: see quarantine.ts. rowid grows, so that the oldest are known.
  CREATE TABLE quarantine (
    rowid INTEGER PRIMARY KEY AUTOINCREMENT,
    round INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    outcome TEXT NOT NULL,        -- rejected, set-aside
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    bytes INTEGER NOT NULL,       -- of the whole update
    payload BLOB NOT NULL,        -- its beginning
    UNIQUE (round, seq)
  );
  `,
];

/** Brings the file to the newest schema. AppError 'storage-failed' when a newer program has written it. */
export function migrate(db: Db): void {
  if (versionOf(db) === STEPS.length) return;
  transaction(db, () => {
    const version = versionOf(db);
    if (version > STEPS.length) {
      throw new AppError('storage-failed', `the database has schema ${version}, this program knows ${STEPS.length}`, {
        where: db.name,
        hint: 'Run the newer version of the program, or set another path.',
      });
    }
    for (const step of STEPS.slice(version)) db.exec(step);
    db.pragma(`user_version = ${STEPS.length}`);
  });
}

/** @throws AppError `storage-failed` when the file is of an older or newer program */
export function assertNewestSchema(db: Db): void {
  const version = versionOf(db);
  if (version === STEPS.length) return;
  throw new AppError('storage-failed', `the database has schema ${version}, this program knows ${STEPS.length}`, {
    where: db.name,
    hint:
      version > STEPS.length
        ? 'Run the newer version of the program.'
        : 'Start the agent once: it brings the file up to date.',
  });
}

function versionOf(db: Db): number {
  return Number(db.pragma('user_version', { simple: true }));
}
