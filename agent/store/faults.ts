/** What went wrong with the sensors, and when it was over: the newest rows are kept, whatever their age, since they are few and small. */
import type { Db } from './transaction.ts';

export interface StoredFault {
  /** Stream time, microseconds. */
  readonly tUs: number;
  readonly chip: string;
  /** One of the sampler's closed list, e.g. `no-answer`. */
  readonly fault: string;
  readonly phase: 'raised' | 'cleared';
  /** Names of the modalities that it concerns. */
  readonly modalities: readonly string[];
  readonly detail: string;
}

/** 2 MB at most. */
export const MOST_FAULTS = 10_000;

export interface FaultTable {
  /** Call inside a transaction. */
  insert(faults: readonly StoredFault[]): void;
  /** The newest `limit`, oldest first. */
  newest(limit: number): StoredFault[];
}

type Row = Omit<StoredFault, 'modalities'> & { readonly modalities: string };

export function faultTable(db: Db): FaultTable {
  const insert = db.prepare(
    'INSERT INTO faults (t_us, chip, fault, phase, modalities, detail) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const trim = db.prepare(`DELETE FROM faults WHERE id <= (SELECT max(id) FROM faults) - ${MOST_FAULTS}`);
  const select = db.prepare<[number], Row>(
    'SELECT t_us AS tUs, chip, fault, phase, modalities, detail FROM faults ORDER BY id DESC LIMIT ?',
  );
  return {
    insert(faults) {
      for (const { tUs, chip, fault, phase, modalities, detail } of faults)
        insert.run(tUs, chip, fault, phase, JSON.stringify(modalities), detail);
      if (faults.length > 0) trim.run();
    },
    newest(limit) {
      const rows = select.all(limit).reverse();
      return rows.map((row) => ({ ...row, modalities: JSON.parse(row.modalities) as string[] }));
    },
  };
}
