/** Floats from a Buffer that lies unaligned in Node's shared pool, as small ones do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf, floatsOf } from '../../agent/store/float-blob.ts';

test('bytes in a shared pool become an array of their own, of their own length', () => {
  const pool = Buffer.alloc(64, 0xff);
  const pooled = pool.subarray(3, 11);
  pooled.set(bytesOf(Float32Array.of(1.5, -2)));
  const floats = floatsOf(pooled);
  assert.deepEqual([...floats], [1.5, -2]);
  pool.fill(0);
  assert.deepEqual([...floats], [1.5, -2], 'not a view of the pool');
});
