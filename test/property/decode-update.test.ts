/**
 * Hostile bytes. Whatever happens to a payload on its way, the decoder returns: either a reason of the closed list, or an
 * update that keeps every promise of `limits.ts` (checked here anew, not with the decoder's own code).
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { dequantize, type Quantized } from '../../core/quant/affine.ts';
import { decodeUpdate, type UpdateExpectation } from '../../core/wire/decode.ts';
import {
  decodeGlobalModel,
  decodeGlobalPrototypes,
  decodeReceipt,
  decodeRoundClosed,
  decodeRoundPlan,
  decodeStatus,
} from '../../core/wire/decode-downlink.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import { groupValues } from '../../core/wire/model-values.ts';
import { type CodedModel, REJECT_REASONS, type Update } from '../../core/wire/update.ts';
import {
  expectationOf,
  sampleCodedUpdate,
  sampleStatistics,
  sampleUpdate,
  TINY_SPEC,
} from '../fixtures/sample-update.ts';

const SAMPLES = [
  sampleUpdate({ spec: TINY_SPEC, modelBits: 3 }),
  sampleUpdate({ spec: TINY_SPEC, modelBits: 32, prototypeBits: 32 }),
  sampleStatistics(TINY_SPEC),
  sampleCodedUpdate({ spec: TINY_SPEC, modelBits: 3 }),
  sampleCodedUpdate({ spec: TINY_SPEC, modelBits: 4, sparse: true }),
].map((update) => ({ update, payload: encodeUpdate(update), expect: expectationOf(update, TINY_SPEC) }));
const sample = fc.constantFrom(...SAMPLES);

/** The one assertion of this file. Returns whether the payload was taken. */
function assertRefusedOrSound(payload: Uint8Array, expect: UpdateExpectation): boolean {
  const decoded = decodeUpdate(payload, expect);
  if (decoded.ok) assertSound(decoded.value, expect);
  else assert.ok(REJECT_REASONS.includes(decoded.reason), decoded.reason);
  return decoded.ok;
}

function assertSound(update: Update, expect: UpdateExpectation): void {
  const { spec, layout } = expect;
  assert.equal(update.device, expect.device);
  assert.deepEqual(
    [update.round, update.modelVersion, update.shapeHash],
    [expect.round, expect.modelVersion, expect.shapeHash],
  );
  assert.ok(update.windows >= 1 && update.windows <= 1024);
  assert.ok(update.online.correct <= update.online.count && update.online.count <= update.windows);
  assert.ok(update.online.lossSum >= 0 && Number.isFinite(update.online.lossSum));
  assert.equal(update.modalities.length, spec.modalities.length);
  for (const { windowsPresent, meanQuality, weight, prototypes, sums } of update.modalities) {
    assert.ok(meanQuality >= 0 && meanQuality <= 1);
    assert.ok(
      Number.isInteger(weight) && weight >= 0 && weight <= 16 * windowsPresent && windowsPresent <= update.windows,
    );
    if (prototypes !== null) {
      const { classes, weights, values } = prototypes;
      assert.deepEqual(
        [...new Set(classes)].sort((a, b) => a - b),
        classes,
      );
      assert.ok(classes.every((c) => c >= 0 && c < spec.classes.length));
      assert.equal(weights.length, classes.length);
      assert.ok(weights.every((w) => Number.isInteger(w) && w >= 1 && w <= 2 ** 14));
      assertSoundValues(values, classes.length * spec.embedding);
    }
    for (const value of [...(sums?.sum ?? []), ...(sums?.sumSquares ?? [])])
      assert.ok(Number.isSafeInteger(value * 1024));
  }
  const groups = update.model.map(({ group }) => group);
  assert.equal(new Set(groups).size, groups.length);
  let squares = 0;
  for (const { group, tensors } of update.model) {
    const sizes = layout.find((known) => known.group === group)?.sizes;
    assert.equal(tensors.length, sizes?.length);
    for (const [i, tensor] of tensors.entries()) squares += assertSoundValues(tensor, sizes?.[i]);
  }
  if (update.coded !== null) squares += assertSoundCoded(update.coded, expect);
  assert.ok(update.coded === null || update.model.length === 0);
  assert.ok(Math.sqrt(squares) <= expect.limits.maxDeltaNorm);
}

/** Returns Σv². */
function assertSoundCoded(coded: CodedModel, { layout }: UpdateExpectation): number {
  const order = layout.map(({ group }) => group);
  assert.deepEqual(
    order.filter((group) => coded.groups.includes(group)),
    coded.groups,
  );
  const groups = groupValues({ model: [], coded }, layout);
  assert.deepEqual(
    groups?.map(({ values }) => values.length),
    coded.groups.map((group) => layout.find((known) => known.group === group)?.sizes.reduce((sum, size) => sum + size)),
  );
  const values = groups?.flatMap((group) => [...group.values]) ?? [];
  assert.ok(values.every((value) => Math.abs(value) <= 16));
  return values.reduce((sum, value) => sum + value * value, 0);
}

/** Returns Σv². */
function assertSoundValues(quantized: Quantized, length: number | undefined): number {
  const values = dequantize(quantized);
  assert.equal(values.length, length);
  assert.ok(values.every((value) => Math.abs(value) <= 16));
  return values.reduce((sum, value) => sum + value * value, 0);
}

test('the samples themselves are taken', () => {
  for (const { payload, expect } of SAMPLES) assert.ok(assertRefusedOrSound(payload, expect));
});

test('random bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), sample, (payload, { expect }) => {
      assertRefusedOrSound(payload, expect);
    }),
    { numRuns: 2000 },
  );
});

test('a payload cut off anywhere is refused, unless the cut falls between two groups of the model or before it', () => {
  for (const { payload, expect } of SAMPLES) {
    let taken = 0;
    for (let length = 0; length < payload.length; length++) {
      taken += assertRefusedOrSound(payload.subarray(0, length), expect) ? 1 : 0;
    }
    assert.ok(taken <= 3, `${taken} cuts were taken`);
  }
});

test('every single bit flipped, one at a time', () => {
  for (const { payload, expect } of SAMPLES) {
    for (let bit = 0; bit < 8 * payload.length; bit++) {
      const flipped = payload.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      assertRefusedOrSound(flipped, expect);
    }
  }
});

test('several bytes overwritten at once, NaN and infinity patterns among them', () => {
  const byte = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 0x7f, 0x80, 0xc0, 0xf0, 0xff));
  const writes = fc.array(fc.tuple(fc.nat(), fc.array(byte, { minLength: 1, maxLength: 8 })), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(sample, writes, ({ payload, expect }, edits) => {
      const edited = payload.slice();
      for (const [at, bytes] of edits) {
        for (const [i, value] of bytes.entries()) edited[(at + i) % edited.length] = value;
      }
      assertRefusedOrSound(edited, expect);
    }),
    { numRuns: 5000 },
  );
});

test('pieces of payloads spliced together', () => {
  const cuts = fc.array(fc.tuple(sample, fc.nat(), fc.nat({ max: 300 })), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(sample, cuts, ({ expect }, pieces) => {
      const spliced = pieces.map(([{ payload }, at, length]) => {
        const start = at % payload.length;
        return payload.subarray(start, start + length);
      });
      assertRefusedOrSound(Buffer.concat(spliced), expect);
    }),
    { numRuns: 2000 },
  );
});

test('an update for another device, shape, round, version or kind', () => {
  const other = fc.record(
    {
      device: fc.string(),
      shapeHash: fc.nat(),
      round: fc.nat(),
      modelVersion: fc.nat(),
      kind: fc.constantFrom('statistics' as const, 'training' as const),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(sample, other, ({ payload, update }, change) => {
      assertRefusedOrSound(payload, expectationOf(update, TINY_SPEC, change));
    }),
  );
});

test('every other message, from random bytes and from an update', () => {
  const decoders = [decodeRoundPlan, decodeGlobalModel, decodeGlobalPrototypes, decodeRoundClosed, decodeReceipt];
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    sample.map(({ payload }) => payload),
  );
  fc.assert(
    fc.property(bytes, fc.nat(), fc.nat({ max: 255 }), (payload, at, value) => {
      const edited = payload.slice();
      if (edited.length > 0) edited[at % edited.length] = value;
      for (const decoded of [...decoders.map((decode) => decode(edited)), decodeStatus(edited, 'board-07')]) {
        if (!decoded.ok) assert.ok(REJECT_REASONS.includes(decoded.reason));
      }
    }),
    { numRuns: 2000 },
  );
});
