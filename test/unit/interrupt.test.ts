/** Ctrl-C in real processes: twice at once is one wish, and one more later ends what does not want to end. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

const MODULE = new URL('../../core/base/interrupt.js', import.meta.url);

/** Says when it listens, tells each wish, and ends `lingersMs` after the first. */
async function listening(lingersMs: number) {
  const program = `
    const { onInterrupt } = await import('${MODULE}');
    const living = setInterval(() => undefined, 1000);
    onInterrupt(() => {
      console.log('wish');
      setTimeout(() => clearInterval(living), ${lingersMs});
    });
    console.log('listens');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text) => {
    said += text;
  });
  while (!said.includes('listens')) await once(child.stdout, 'data');
  return { child, said: () => said, ended: once(child, 'close') };
}

test('the same Ctrl-C by two ways, and a SIGTERM with it, are one orderly end', async () => {
  const { child, said, ended } = await listening(300);
  for (const signal of ['SIGINT', 'SIGINT', 'SIGTERM'] as const) {
    child.kill(signal);
    await delay(30); // apart, else the kernel delivers them as one
  }
  assert.deepEqual(await ended, [0, null]);
  assert.equal(said(), 'listens\nwish\n');
});

test('one more, later, ends a program that lingers', async () => {
  const { child, said, ended } = await listening(60_000);
  child.kill('SIGINT');
  await delay(1200);
  child.kill('SIGINT');
  assert.deepEqual(await ended, [null, 'SIGINT']);
  assert.equal(said(), 'listens\nwish\n');
});
