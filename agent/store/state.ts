/** Small values by name, all on one page of the file: what changes with every transaction costs one page to write. */
import type { Db } from './transaction.ts';

export interface StateTable {
  read(key: string): Buffer | null;
  /** Writes nothing when the value is the same. */
  write(key: string, value: Uint8Array): void;
  /** The caller vouches for the type: it alone writes this key. */
  readJson<T>(key: string): T | null;
  writeJson(key: string, value: unknown): void;
}

export function stateTable(db: Db): StateTable {
  const select = db.prepare<[string], Buffer>('SELECT value FROM state WHERE key = ?').pluck();
  const upsert = db.prepare(
    'INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value WHERE value <> excluded.value',
  );
  const read = (key: string) => select.get(key) ?? null;
  const write = (key: string, value: Uint8Array) => void upsert.run(key, value);
  return {
    read,
    write,
    readJson<T>(key: string) {
      const bytes = read(key);
      return bytes === null ? null : (JSON.parse(bytes.toString()) as T);
    },
    writeJson: (key, value) => write(key, Buffer.from(JSON.stringify(value))),
  };
}
