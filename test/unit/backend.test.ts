/** Loading TensorFlow: on demand, native only. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { assertNative, loadBackend } from '../../core/model/backend.ts';

test('loads the native backend, on one thread unless told otherwise', async () => {
  const tf = await loadBackend();
  assert.equal(tf.getBackend(), 'tensorflow');
  assert.equal(await loadBackend(), tf);
  assert.ok(process.env['TF_NUM_INTRAOP_THREADS']);
});

test('any other backend is refused with a hint', () => {
  assert.throws(
    () => assertNative('cpu'),
    (error: unknown) => {
      const { code, hint } = error as { code?: string; hint?: string };
      return code === 'backend-wrong' && hint !== undefined && hint.includes('npm rebuild');
    },
  );
});

test('importing the model loads no TensorFlow', () => {
  const model = new URL('../../core/model/', import.meta.url).href;
  const extension = import.meta.url.split('.').at(-1);
  const program = `
    import { createRequire } from 'node:module';
    await import('${model}network-tf.${extension}');
    await import('${model}backend.${extension}');
    const loaded = Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes('tensorflow'));
    process.stdout.write(String(loaded.length));
  `;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
  assert.equal(output, '0');
});

test('signals that arrive during matrix products do no harm', async () => {
  // With AVX-512 allowed, on a machine that has it, one to three hundred signals end this program with a corrupted heap.
  const backend = new URL(`../../core/model/backend.${import.meta.url.split('.').at(-1)}`, import.meta.url).href;
  const program = `
    const { loadBackend } = await import('${backend}');
    process.on('SIGUSR2', () => undefined);
    const tf = await loadBackend();
    const [a, b] = [tf.ones([27, 300]), tf.ones([300, 16])];
    process.stdout.write('ready');
    for (let i = 0; i < 40000; i++) tf.matMul(a, b).dispose();
    process.exit(tf.matMul(a, b).dataSync()[0] === 300 ? 0 : 1);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    env: { ...process.env, ONEDNN_MAX_CPU_ISA: undefined, TF_ENABLE_ONEDNN_OPTS: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const ended = once(child, 'exit');
  let signals = 0;
  const send = () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGUSR2');
    signals++;
    setImmediate(send);
  };
  send();
  assert.deepEqual(await ended, [0, null]);
  assert.ok(signals > 100, `only ${signals} signals`);
});
