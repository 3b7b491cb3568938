import assert from 'node:assert/strict';
import test from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import { createBitDecoder, createBitEncoder, createBitModels } from '../../core/quant/range-coder.ts';

/** Bits that are 1 with the given chance, through the coder with one model. */
function coded(bits: readonly number[]): Uint8Array {
  const encoder = createBitEncoder();
  const models = createBitModels(1);
  for (const bit of bits) encoder.write(models, 0, bit);
  return encoder.finish();
}

function drawn(chance: number, count: number): number[] {
  const rng = createRng(`chance ${chance}`);
  return Array.from({ length: count }, () => (rng.next() < chance ? 1 : 0));
}

function entropyBytes(bits: readonly number[]): number {
  const p = bits.reduce((sum, bit) => sum + bit, 0) / bits.length;
  const perBit = p === 0 || p === 1 ? 0 : -p * Math.log2(p) - (1 - p) * Math.log2(1 - p);
  return (bits.length * perBit) / 8;
}

for (const chance of [0.5, 0.9, 0.03, 0.002]) {
  test(`bits that are 1 with chance ${chance} come back, in little more than their entropy`, () => {
    const bits = drawn(chance, 20_000);
    const bytes = coded(bits);
    const decoder = createBitDecoder(bytes);
    const models = createBitModels(1);
    assert.deepEqual(
      bits.map(() => decoder.read(models, 0)),
      bits,
    );
    assert.ok(decoder.isAtEnd());
    const least = entropyBytes(bits);
    assert.ok(bytes.length <= 1.02 * least + 8, `${bytes.length} bytes, entropy ${least.toFixed(0)}`);
  });
}

test('ten thousand equal bits take a few bytes, no bits none', () => {
  for (const bit of [0, 1]) assert.ok(coded(new Array(10_000).fill(bit)).length <= 8);
  assert.equal(coded([]).length, 0);
  assert.ok(createBitDecoder(new Uint8Array()).isAtEnd());
});

test('every short row of bits comes back, and ends as short as it can', () => {
  for (let length = 1; length <= 10; length++) {
    for (let row = 0; row < 2 ** length; row++) {
      const bits = Array.from({ length }, (_, i) => (row >> i) & 1);
      const bytes = coded(bits);
      const decoder = createBitDecoder(bytes);
      const models = createBitModels(1);
      for (const bit of bits) assert.equal(decoder.read(models, 0), bit);
      assert.ok(decoder.isAtEnd());
    }
  }
});

test('models learn apart from each other', () => {
  const encoder = createBitEncoder();
  const models = createBitModels(2);
  for (let i = 0; i < 1000; i++) encoder.write(models, i % 2, i % 2);
  assert.ok(encoder.finish().length < 10);
});

test('more bytes than the bits ask for are noticed, as are zeros at the end', () => {
  const bits = drawn(0.5, 100);
  const bytes = coded(bits);
  for (const more of [
    [...bytes, 0],
    [...bytes, 1, 2, 3, 4, 5],
  ]) {
    const decoder = createBitDecoder(Uint8Array.from(more));
    const models = createBitModels(1);
    for (const bit of bits) assert.equal(decoder.read(models, 0), bit);
    assert.equal(decoder.isAtEnd(), false);
  }
});
