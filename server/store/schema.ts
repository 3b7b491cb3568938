/**
 * The schema of the aggregator's file, as the steps that made it.
 * Invariant: a step never changes; files in use begin in between, and a file of a newer program is refused, not touched.
 */
import type Database from 'better-sqlite3';
import { REPORT_TABLES } from './report-tables.ts';

/** Each once, in order; the file's `user_version` counts those taken. What is here stays as it is: files in use begin in between. */
export const SCHEMA_STEPS = [
  `
  CREATE TABLE identity (shape_hash INTEGER NOT NULL);
  CREATE TABLE globals (
    generation INTEGER PRIMARY KEY, version INTEGER NOT NULL, params BLOB NOT NULL, averaged BLOB NOT NULL,
    prototype_values BLOB NOT NULL, prototype_weight BLOB NOT NULL, mean BLOB, std BLOB
  );
  CREATE TABLE open_round (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), round INTEGER NOT NULL, body TEXT NOT NULL);
  CREATE TABLE updates (
    round INTEGER NOT NULL, device TEXT NOT NULL, seq INTEGER NOT NULL, bytes INTEGER NOT NULL, payload BLOB,
    PRIMARY KEY (round, device)
  ) WITHOUT ROWID;
  CREATE TABLE rejections (
    round INTEGER NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (round, reason)
  ) WITHOUT ROWID;
  CREATE TABLE records (round INTEGER PRIMARY KEY, body TEXT NOT NULL);
  CREATE TABLE devices (device TEXT PRIMARY KEY, ended INTEGER NOT NULL) WITHOUT ROWID;
  `,
  `
  ALTER TABLE globals ADD COLUMN first_moment BLOB;
  ALTER TABLE globals ADD COLUMN second_moment BLOB;
  ALTER TABLE globals ADD COLUMN moment_steps TEXT;
  `,
  'ALTER TABLE globals ADD COLUMN temperature REAL NOT NULL DEFAULT 1;',
  `
  CREATE TABLE refusals (
    round INTEGER NOT NULL, device TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (round, device, reason)
  ) WITHOUT ROWID;
  ALTER TABLE devices ADD COLUMN last_round INTEGER;
  ALTER TABLE devices ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE devices ADD COLUMN clipped INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE devices ADD COLUMN last_norm REAL;
  ALTER TABLE updates ADD COLUMN taken_in INTEGER;
  CREATE INDEX late_updates ON updates (taken_in) WHERE taken_in IS NOT NULL;
  `,
  REPORT_TABLES,
  // Apart, because a payload that is taken out of a row leaves its page as empty as it was full: 500 bytes a row for good, not 25.
  `
  CREATE TABLE payloads (round INTEGER NOT NULL, device TEXT NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (round, device));
  INSERT INTO payloads SELECT round, device, payload FROM updates WHERE payload IS NOT NULL;
  CREATE TABLE compact (
    round INTEGER NOT NULL, device TEXT NOT NULL, seq INTEGER NOT NULL, bytes INTEGER NOT NULL, taken_in INTEGER,
    PRIMARY KEY (round, device)
  ) WITHOUT ROWID;
  INSERT INTO compact SELECT round, device, seq, bytes, taken_in FROM updates;
  DROP TABLE updates;
  ALTER TABLE compact RENAME TO updates;
  CREATE INDEX late_updates ON updates (taken_in) WHERE taken_in IS NOT NULL;
  `,
  'ALTER TABLE identity ADD COLUMN epoch TEXT;',
];

/** Brings a file to the newest schema, in one transaction. Throws when it is of a newer program. */
export function migrate(db: Database.Database): void {
  const version = Number(db.pragma('user_version', { simple: true }));
  if (version === SCHEMA_STEPS.length) return;
  if (version > SCHEMA_STEPS.length)
    throw new Error(`schema version ${version}, this program knows ${SCHEMA_STEPS.length}`);
  db.transaction(() => {
    for (const step of SCHEMA_STEPS.slice(version)) db.exec(step);
    db.pragma(`user_version = ${SCHEMA_STEPS.length}`);
  })();
}
