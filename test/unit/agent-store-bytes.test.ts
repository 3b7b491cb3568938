/** Flash wears by what is written: the store's promise is at most 150 bytes a sample, with windows, write-ahead log and checkpoints. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { type AgentStore, openAgentStore } from '../../agent/store/agent-store.ts';
import { measuredWindow, secondOfMotion, temporaryPath } from '../fixtures/stored-motion.ts';

const IO = '/proc/self/io';

/** Bytes that this process has passed to write calls. */
function written(): number {
  return Number(/^wchar: (\d+)/m.exec(readFileSync(IO, 'utf8'))?.[1]);
}

/** Bytes written per sample of two modalities at 100 Hz, one transaction a second, from second `from` to `to`. */
function perSample(store: AgentStore, from: number, to: number): number {
  let index = Math.ceil((from - 1.28) / 0.64);
  const batches = Array.from({ length: to - from }, (_, i) => {
    const windows = [];
    while (index * 0.64 + 1.28 <= from + i + 1) windows.push(measuredWindow(index++));
    return secondOfMotion(from + i, windows);
  });
  const before = written();
  for (const batch of batches) store.ingest(batch);
  return (written() - before) / ((to - from) * 200);
}

const options = { skip: existsSync(IO) ? false : `no ${IO}` };

test('two modalities at 100 Hz, one transaction a second: at most 150 bytes written per sample', options, (t) => {
  const store = openAgentStore(temporaryPath(t));
  const before = written();
  perSample(store, 0, 300);
  store.close(); // with what the log still holds
  const bytes = (written() - before) / (300 * 200);
  t.diagnostic(`${bytes.toFixed(1)} bytes written per sample`);
  assert.ok(bytes > 36, 'two stored copies in windows and one raw cannot take less: the measurement is broken');
  assert.ok(bytes <= 150, `${bytes} bytes per sample`);
});

test('and at the cap, where as much is removed as comes in, no more than that', options, (t) => {
  const path = temporaryPath(t);
  const store = openAgentStore(path, { bounds: { capBytes: 8e6, maxAgeUs: 1e15, policy: 'drop-oldest' } });
  perSample(store, 0, 600);
  assert.ok(store.losses().length > 0, 'it is at the cap');
  const size = statSync(path).size;
  const bytes = perSample(store, 600, 1200);
  t.diagnostic(`${bytes.toFixed(1)} bytes written per sample`);
  assert.ok(Math.abs(statSync(path).size - size) < 0.01 * size, 'the file is flat');
  assert.ok(bytes > 36 && bytes <= 150, `${bytes} bytes per sample`);
  store.close();
});
