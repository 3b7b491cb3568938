/**
 * Changes of label as they came, so that the raw stream can be played again with them.
 * Invariant: the label in force at the oldest chunk is kept, however long ago it began.
 */
import type { LabelChange } from '../../core/stream/event.ts';
import type { Db } from './transaction.ts';

/** Changes that are kept at most: a jammed button must not fill the disk. */
const MOST_LABELS = 10_000;

export interface LabelTable {
  /** A second change at the same time takes the first one's place. Call inside a transaction, as the next. */
  insert(changes: readonly LabelChange[]): void;
  /** Forgets what no longer holds at `tUs`. */
  dropBefore(tUs: number): void;
  /** Ascending times, from the one in force at `fromUs` on. */
  read(fromUs: number): LabelChange[];
}

export function labelTable(db: Db): LabelTable {
  const inForce = '(SELECT max(t_us) FROM labels WHERE t_us <= ?)';
  const insert = db.prepare<[number, string | null]>('REPLACE INTO labels (t_us, label) VALUES (?, ?)');
  const trim = db.prepare(
    `DELETE FROM labels WHERE t_us <= (SELECT t_us FROM labels ORDER BY t_us DESC LIMIT 1 OFFSET ${MOST_LABELS})`,
  );
  const remove = db.prepare<[number]>(`DELETE FROM labels WHERE t_us < ${inForce}`);
  const select = db.prepare<[number], Omit<LabelChange, 'kind'>>(
    `SELECT t_us AS tUs, label FROM labels WHERE t_us >= coalesce(${inForce}, 0) ORDER BY t_us`,
  );
  return {
    insert(changes) {
      for (const { tUs, label } of changes) insert.run(tUs, label);
      if (changes.length > 0) trim.run();
    },
    dropBefore: (tUs) => void remove.run(tUs),
    read: (fromUs) => select.all(fromUs).map((row) => ({ kind: 'label', ...row })),
  };
}
