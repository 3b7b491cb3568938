/** kill -9 of a process that writes: what it had reported is there, and the parts of each commit are there together. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openAgentStore } from '../../agent/store/agent-store.ts';
import { createRng } from '../../core/math/rng.ts';
import { temporaryPath } from '../fixtures/stored-motion.ts';

const WRITER = fileURLToPath(new URL('../fixtures/store-writer.js', import.meta.url));

/** Runs the writer until it has reported `commits` more rounds and a random moment has passed; returns the last round reported. */
async function writeUntilKilled(path: string, commits: number, turns: number): Promise<number> {
  const child = spawn(process.execPath, [WRITER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let output = '';
  child.stdout.setEncoding('utf8');
  for await (const text of child.stdout) {
    output += text;
    if (output.split('\n').length <= commits) continue;
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
    child.kill('SIGKILL');
  }
  await exited;
  return Number(output.split('\n').at(-2));
}

test('killed at random moments, again and again: nothing reported is lost, nothing is half there, nothing is used twice', {
  timeout: 60_000,
}, async (t) => {
  const path = temporaryPath(t);
  const rng = createRng('kill');
  for (let life = 0; life < 5; life++) {
    const reported = await writeUntilKilled(path, 3, rng.int(2000));
    const store = openAgentStore(path);
    const checkpoint = store.checkpoint();
    assert.ok(
      checkpoint !== null && checkpoint.round >= reported,
      `round ${checkpoint?.round} stored, ${reported} reported`,
    );
    assert.ok(checkpoint.params.every((value) => value === checkpoint.round));
    const uses = store.windowUses();
    assert.deepEqual(
      uses.map((use) => use.windowIndex),
      Array.from({ length: checkpoint.cursor + 1 }, (_, i) => i),
    );
    assert.ok(uses.every((use) => use.round === Math.floor(use.windowIndex / 2)));
    const open = store.pending().map(({ round }) => round);
    const settled = store.settled()[0]?.count ?? 0;
    assert.equal(open.length + settled, checkpoint.round + 1);
    assert.equal(open.at(-1), checkpoint.round);
    const seconds = [...store.readStream(0)].filter((block) => block.modality === 0).length;
    assert.ok(seconds === checkpoint.round + 1 || seconds === checkpoint.round + 2, `${seconds} seconds of stream`);
    store.settle({ round: checkpoint.round - 1, seq: checkpoint.round - 1 }, 'counted'); // the writer settles only its own
    store.close();
  }
});
