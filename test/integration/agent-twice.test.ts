/** One agent a state folder: the second one is refused, the first one is not disturbed, and a killed one leaves no lock behind. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { askAgent, labelSocketPath } from '../../agent/labels/label-socket.ts';
import { startQqr } from '../fixtures/qqr-process.ts';

const SETTINGS = 'device = "pi-1"\nlink.url = "mqtt://127.0.0.1:9"\n[[sensors]]\nchip = "mpu6050"\n';

test('a second agent and a recording beside a running one are refused; after kill -9 the next one starts', {
  timeout: 60_000,
}, async (t) => {
  const state = await mkdtemp(join(tmpdir(), 'qqr-twice-'));
  t.after(() => rm(state, { recursive: true, force: true }));
  const config = join(state, 'agent.toml');
  await writeFile(config, `stateDir = "${state}"\n${SETTINGS}`);
  const run = () => startQqr(['agent', 'run', '--config', config, '--sim']);
  const label = async (name: string) => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await askAgent(labelSocketPath(state), `label ${name}`);
      } catch (error) {
        if (attempt === 200) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  };
  const first = run();
  t.after(() => first.child.kill('SIGKILL'));
  assert.equal(await label('walking'), 'walking');

  const second = await run().ended;
  assert.equal(second.code, 75, second.errors);
  assert.match(second.errors, /state-in-use/);
  const recording = await startQqr(['record', '--config', config, '--out', join(state, 'x.csv')]).ended;
  assert.equal(recording.code, 75, recording.errors);
  assert.equal(await label('sitting'), 'sitting', 'the first one still listens');

  first.child.kill('SIGKILL');
  await first.ended;
  const next = run();
  t.after(() => next.child.kill('SIGKILL'));
  assert.equal(await label('running'), 'running');
  next.child.kill('SIGTERM');
  const { code, errors } = await next.ended;
  assert.equal(code, 0, errors);
});
