/** Loading TensorFlow: on demand, native only. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
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
