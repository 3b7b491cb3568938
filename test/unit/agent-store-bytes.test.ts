/** Flash wears by what is written: the store's promise is at most 150 bytes a sample, with windows, write-ahead log and checkpoints. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { openAgentStore } from '../../agent/store/agent-store.ts';
import { measuredWindow, secondOfMotion, temporaryPath } from '../fixtures/stored-motion.ts';

const IO = '/proc/self/io';

/** Bytes that this process has passed to write calls. */
function written(): number {
  return Number(/^wchar: (\d+)/m.exec(readFileSync(IO, 'utf8'))?.[1]);
}

test('two modalities at 100 Hz, one transaction a second: at most 150 bytes written per sample', {
  skip: existsSync(IO) ? false : `no ${IO}`,
}, (t) => {
  const store = openAgentStore(temporaryPath(t));
  const seconds = 300;
  let index = 0;
  const batches = Array.from({ length: seconds }, (_, second) => {
    const windows = [];
    while (index * 0.64 + 1.28 <= second + 1) windows.push(measuredWindow(index++));
    return secondOfMotion(second, windows);
  });
  const before = written();
  for (const batch of batches) store.ingest(batch);
  store.close();
  const perSample = (written() - before) / (seconds * 200);
  t.diagnostic(`${perSample.toFixed(1)} bytes written per sample`);
  assert.ok(perSample > 36, 'two stored copies in windows and one raw cannot take less: the measurement is broken');
  assert.ok(perSample <= 150, `${perSample} bytes per sample`);
});
