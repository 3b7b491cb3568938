/** One scenario for each reason, and the order of the checks. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { quantize } from '../../core/quant/affine.ts';
import { decodeUpdate, type UpdateExpectation } from '../../core/wire/decode.ts';
import * as pb from '../../core/wire/gen/qqr_pb.ts';
import { DEFAULT_LIMITS } from '../../core/wire/limits.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import type { RejectReason, Update } from '../../core/wire/update.ts';
import { expectationOf, SAMPLE_SPEC, sampleStatistics, sampleUpdate } from '../fixtures/sample-update.ts';

const GOOD = sampleUpdate();
const EXPECT = expectationOf(GOOD, SAMPLE_SPEC);

function reasonOf(payload: Uint8Array, expect: UpdateExpectation = EXPECT): RejectReason | 'taken' {
  const decoded = decodeUpdate(payload, expect);
  return decoded.ok ? 'taken' : decoded.reason;
}

/** The good update with `change` applied to its parsed message: also what no encoder would write. */
function tampered(change: (message: pb.Update) => unknown, update: Update = GOOD): Uint8Array {
  const message = fromBinary(pb.UpdateSchema, encodeUpdate(update));
  change(message);
  return toBinary(pb.UpdateSchema, message);
}

/** Overwrites fields, also with what their types forbid. */
function set(target: object, fields: object): void {
  Object.assign(target, fields);
}

/** The first of a list that has one. */
function first<T>(items: readonly T[]): T {
  assert.ok(items.length > 0);
  return items[0] as T;
}

const acc = (message: pb.Update) => first(message.modalities);
const prototypes = (message: pb.Update) => acc(message).prototypes as pb.Prototypes;
const tensor = (message: pb.Update) => first(first(message.model).tensors);

function assertReasons(
  reason: RejectReason,
  changes: Record<string, (message: pb.Update) => unknown>,
  update?: Update,
): void {
  const expect = update === undefined ? EXPECT : expectationOf(update, SAMPLE_SPEC);
  for (const [what, change] of Object.entries(changes))
    assert.equal(reasonOf(tampered(change, update), expect), reason, what);
}

test('addressed wrongly', () => {
  assertReasons('wrong-protocol', {
    'protocol 1': (m) => set(m, { protocol: 1 }),
    'protocol 3': (m) => set(m, { protocol: 3 }),
    'no protocol': (m) => set(m, { protocol: 0 }),
  });
  assertReasons('wrong-device', {
    'another device': (m) => set(m, { device: 'board-08' }),
    'no device': (m) => set(m, { device: '' }),
  });
  assertReasons('wrong-shape', { 'another shape': (m) => set(m, { shapeHash: m.shapeHash + 1 }) });
  assertReasons('wrong-round', { 'an old round': (m) => set(m, { round: m.round - 1 }) });
  assertReasons('wrong-version', { 'an old model': (m) => set(m, { modelVersion: m.modelVersion - 1 }) });
});

test('the refusal names the key that the payload claims, when it can be read', () => {
  const late = decodeUpdate(
    tampered((m) => set(m, { round: m.round - 1 })),
    EXPECT,
  );
  assert.deepEqual(late.ok ? null : late.key, { round: 11, seq: 13 });
  const garbage = decodeUpdate(Uint8Array.of(255), EXPECT);
  assert.deepEqual(garbage.ok ? undefined : garbage.key, null);
});

test('too large is refused before it is parsed', () => {
  const expect = { ...EXPECT, limits: { ...DEFAULT_LIMITS, maxPayloadBytes: 1000 } };
  assert.equal(reasonOf(new Uint8Array(1001).fill(255), expect), 'too-large');
  assert.equal(
    reasonOf(encodeUpdate(GOOD), {
      ...EXPECT,
      limits: { ...DEFAULT_LIMITS, maxPayloadBytes: encodeUpdate(GOOD).length },
    }),
    'taken',
  );
});

test('structure that is not what was asked', () => {
  assertReasons('malformed', {
    'no online report': (m) => set(m, { online: undefined }),
    'a modality too few': (m) => m.modalities.pop(),
    'a modality too many': (m) => m.modalities.push(create(pb.ModalityReportSchema)),
    'classes descending': (m) => prototypes(m).classes.reverse(),
    'a class twice': (m) => prototypes(m).classes.fill(0, 1, 2),
    'a class that does not exist': (m) => prototypes(m).classes.fill(6, 5),
    'a weight too few': (m) => prototypes(m).weights.pop(),
    'prototypes without values': (m) => set(prototypes(m), { values: undefined }),
    'channel sums in training': (m) => set(acc(m), { sums: create(pb.ChannelSumsSchema) }),
    'a group that does not exist': (m) => set(first(m.model), { group: 2 }),
    'a group twice': (m) => set(first(m.model), { group: 1 }),
    'a tensor too few': (m) => first(m.model).tensors.pop(),
    'a tensor too many': (m) => first(m.model).tensors.push(tensor(m)),
    'tensors swapped': (m) => first(m.model).tensors.reverse(),
    '9 bits': (m) => set(tensor(m), { bits: 9 }),
    '0 bits': (m) => set(tensor(m), { bits: 0 }),
    'a byte too few': (m) => set(tensor(m), { packed: tensor(m).packed.slice(1) }),
    'a byte too many': (m) => set(tensor(m), { packed: Uint8Array.of(...tensor(m).packed, 0) }),
    'bits that the bytes do not hold': (m) => set(tensor(m), { bits: 8 }),
    'lo and step beside float32': (m) => set(tensor(m), { bits: 32, packed: new Uint8Array(4 * 432) }),
  });
  assertReasons(
    'malformed',
    {
      'a model in round 0': (m) => m.model.push(create(pb.GroupDeltaSchema)),
      'prototypes in round 0': (m) => set(acc(m), { prototypes: create(pb.PrototypesSchema) }),
      'a channel too few': (m) => acc(m).sums?.sum.pop(),
      'a channel too many': (m) => acc(m).sums?.sumSquares.push(0),
    },
    sampleStatistics(),
  );
});

test('padding that is not zero', () => {
  const update = sampleUpdate({ modelBits: 3 }); // a bias of 16 values: 48 bits; the head's last bias of 6: 18 bits
  const head = (message: pb.Update) => message.model.at(-1)?.tensors.at(-1) as pb.Quantized;
  assert.equal(reasonOf(tampered((m) => head(m).packed.fill(0b100, 2), update)), 'malformed');
});

test('counts and weights that no board can have', () => {
  assertReasons('out-of-range', {
    'no window': (m) => set(m, { windows: 0 }),
    '1025 windows': (m) => set(m, { windows: 1025 }),
    'an endless backlog': (m) => set(m, { backlog: 2 ** 32 - 1 }),
    'more correct than predicted': (m) => set(m.online as pb.Online, { correct: 11 }),
    'more predicted than used': (m) => set(m.online as pb.Online, { count: 11 }),
    'more confidence than predictions': (m) => set(m.online as pb.Online, { overconfidence: 10_241 }),
    'less confidence than none': (m) => set(m.online as pb.Online, { overconfidence: -10_241 }),
    'present more often than there are windows': (m) => set(acc(m), { windowsPresent: 11 }),
    'more weight than its windows': (m) => set(acc(m), { weight: 9 * 16 + 1 }),
    'a prototype of nothing': (m) => prototypes(m).weights.fill(0, 0, 1),
    'prototypes heavier than the windows': (m) => prototypes(m).weights.fill(9 * 16, 0, 1),
    'a sum of weights that would wrap': (m) => prototypes(m).weights.fill(2 ** 32 - 1),
  });
  const sums = (message: pb.Update) => acc(message).sums as pb.ChannelSums;
  assertReasons(
    'out-of-range',
    {
      'more samples than the windows have': (m) => set(sums(m), { count: 1281 }),
      'a sum finer than 2⁻¹⁰': (m) => sums(m).sum.fill(1 / 3),
      'a sum beyond 2³⁰': (m) => sums(m).sum.fill(-(2 ** 31)),
      'a negative square': (m) => sums(m).sumSquares.fill(-1),
    },
    sampleStatistics(),
  );
});

test('reals that are none', () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    assertReasons('not-finite', {
      [`${bad} loss`]: (m) => set(m.online as pb.Online, { lossSum: bad }),
      [`${bad} quality`]: (m) => set(acc(m), { meanQuality: bad }),
      [`${bad} lo`]: (m) => set(tensor(m), { lo: bad }),
      [`${bad} step`]: (m) => set(tensor(m), { step: bad }),
      [`${bad} prototype`]: (m) => set(prototypes(m).values as pb.Quantized, { lo: bad }),
    });
    assertReasons(
      'not-finite',
      { [`${bad} sum`]: (m) => (acc(m).sums as pb.ChannelSums).sum.fill(bad) },
      sampleStatistics(),
    );
    const raw = sampleUpdate({ modelBits: 32 });
    const write = (m: pb.Update) =>
      new DataView(tensor(m).packed.buffer, tensor(m).packed.byteOffset).setFloat32(40, bad, true);
    assertReasons('not-finite', { [`${bad} among float32`]: write }, raw);
  }
});

test('reals where no honest board has them', () => {
  assertReasons('out-of-range', {
    'negative loss': (m) => set(m.online as pb.Online, { lossSum: -1 }),
    'quality above 1': (m) => set(acc(m), { meanQuality: 1.01 }),
    'quality below 0': (m) => set(acc(m), { meanQuality: -0.01 }),
    'lo below −16': (m) => set(tensor(m), { lo: -16.1 }),
    'the last level above 16': (m) => set(tensor(m), { step: 5.4 }),
    'step 0': (m) => set(tensor(m), { step: 0 }),
    'step below 0': (m) => set(tensor(m), { step: -0.01 }),
    'prototypes beyond 16': (m) => set(prototypes(m).values as pb.Quantized, { step: 2 }),
  });
});

test('a delta that is too long, though each value is in range', () => {
  const values = new Float32Array(432).fill(2);
  const [encoder, ...others] = GOOD.model;
  assert.ok(encoder);
  for (const bits of [1, 8, 32]) {
    const tensors = encoder.tensors.with(0, quantize(values, bits));
    const payload = encodeUpdate({ ...GOOD, model: [{ group: 0, tensors }, ...others] });
    assert.equal(reasonOf(payload), 'norm-too-large', `${bits} bits`);
    assert.equal(
      reasonOf(payload, { ...EXPECT, limits: { ...DEFAULT_LIMITS, maxDeltaNorm: 42 } }),
      'taken',
      `${bits} bits`,
    );
  }
});

test('values at the very edge are taken', () => {
  for (const edge of [
    { lo: -16, step: 2 },
    { lo: -14, step: 2 },
  ]) {
    const change = (m: pb.Update) => {
      set(prototypes(m).values as pb.Quantized, edge);
      set(acc(m), { weight: 9 * 16, meanQuality: 1 });
    };
    assert.equal(reasonOf(tampered(change)), 'taken');
  }
});

test('an unknown field from a later sender is skipped', () => {
  const later = new BinaryWriter()
    .raw(encodeUpdate(GOOD))
    .tag(99, WireType.LengthDelimited)
    .bytes(new Uint8Array(50))
    .finish();
  const decoded = decodeUpdate(later, EXPECT);
  assert.ok(decoded.ok);
  assert.deepEqual(decoded.value, GOOD);
});

test('the first failing check decides: address before structure before values', () => {
  const faults: [RejectReason, (message: pb.Update) => unknown][] = [
    ['norm-too-large', (m) => set(tensor(m), { packed: tensor(m).packed.fill(255), step: 5 })],
    ['out-of-range', (m) => set(acc(m), { meanQuality: 2 })],
    ['not-finite', (m) => set(m.online as pb.Online, { lossSum: NaN })],
    ['malformed', (m) => m.modalities.pop()],
    ['wrong-version', (m) => set(m, { modelVersion: m.modelVersion + 1 })],
    ['wrong-round', (m) => set(m, { round: m.round + 1 })],
    ['wrong-shape', (m) => set(m, { shapeHash: m.shapeHash + 1 })],
    ['wrong-device', (m) => set(m, { device: 'x' })],
    ['wrong-protocol', (m) => set(m, { protocol: m.protocol + 1 })],
  ];
  for (let n = 1; n <= faults.length; n++) {
    const applied = faults.slice(0, n);
    const payload = tampered((message) => applied.map(([, change]) => change(message)));
    assert.equal(reasonOf(payload), applied.at(-1)?.[0]);
  }
});
