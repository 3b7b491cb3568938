/** One scenario for each reason why a coded model is refused; the rest of an update is in `wire-decode.test.ts`. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { decodeUpdate } from '../../core/wire/decode.ts';
import * as pb from '../../core/wire/gen/qqr_pb.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import type { RejectReason, Update } from '../../core/wire/update.ts';
import {
  expectationOf,
  SAMPLE_SPEC,
  sampleCodedUpdate,
  sampleStatistics,
  sampleUpdate,
} from '../fixtures/sample-update.ts';

type Change = (model: pb.CodedModel, message: pb.Update) => unknown;

function assertReasons(update: Update, reason: RejectReason, changes: Record<string, Change>): void {
  for (const [what, change] of Object.entries(changes)) {
    const message = fromBinary(pb.UpdateSchema, encodeUpdate(update));
    change(message.coded as pb.CodedModel, message);
    const decoded = decodeUpdate(toBinary(pb.UpdateSchema, message), expectationOf(update, SAMPLE_SPEC));
    assert.equal(decoded.ok ? 'taken' : decoded.reason, reason, what);
  }
}

/** Overwrites one float32 of the scales. */
function setScale(model: pb.CodedModel, at: number, value: number): void {
  model.scales = model.scales.slice();
  new DataView(model.scales.buffer).setFloat32(4 * at, value, true);
}

const NOTHING = new Uint8Array();

for (const sparse of [false, true]) {
  const update = sampleCodedUpdate({ sparse, modelBits: 4 });
  const kind = sparse ? 'sparse' : 'dense';

  test(`a coded model that is not what was asked, ${kind}`, () => {
    assertReasons(update, 'malformed', {
      'beside a plain one': (_, m) => m.model.push(create(pb.GroupDeltaSchema)),
      'beside a whole plain one': (_, m) => {
        m.model = fromBinary(pb.UpdateSchema, encodeUpdate(sampleUpdate())).model;
      },
      'of no group': (c) => Object.assign(c, { groups: [] }),
      'of nothing': (c) => Object.assign(c, { groups: [], scales: c.scales.slice(0, sparse ? 8 : 0), body: NOTHING }),
      'of a group that does not exist': (c) => Object.assign(c, { groups: [0, 2, -1] }),
      'of a group twice': (c) => Object.assign(c, { groups: [0, 0, -1] }),
      'of groups in another order': (c) => Object.assign(c, { groups: [-1, 0, 1] }),
      'of fewer groups than it has values for': (c) => Object.assign(c, { groups: [0, 1] }),
      'of 0 bits': (c) => Object.assign(c, { bits: 0 }),
      'of 9 bits': (c) => Object.assign(c, { bits: 9 }),
      'of 32 bits': (c) => Object.assign(c, { bits: 32 }),
      'of other bits': (c) => Object.assign(c, { bits: 3 }),
      'of the other kind': (c) => Object.assign(c, { sparse: !sparse }),
      'with a scale too few': (c) => Object.assign(c, { scales: c.scales.slice(8) }),
      'with half a scale more': (c) => Object.assign(c, { scales: Uint8Array.of(...c.scales, 0, 0) }),
      'with a scale too many': (c) => Object.assign(c, { scales: Uint8Array.of(...c.scales, ...c.scales.slice(0, 8)) }),
      'with a zero behind its body': (c) => Object.assign(c, { body: Uint8Array.of(...c.body, 0) }),
      'with more behind its body': (c) => Object.assign(c, { body: Uint8Array.of(...c.body, 1, 2, 3, 4, 5) }),
    });
    assertReasons({ ...sampleStatistics(), coded: update.coded }, 'malformed', {
      'in the statistics round': () => null,
    });
  });

  test(`scales that no honest board has, ${kind}`, () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      const changes = {
        lo: (c: pb.CodedModel) => setScale(c, 0, bad),
        step: (c: pb.CodedModel) => setScale(c, 1, bad),
      };
      assertReasons(update, 'not-finite', changes);
    }
    assertReasons(update, 'out-of-range', {
      'lo beyond 16': (c) => setScale(c, 0, 16.1),
      'lo beyond −16': (c) => setScale(c, 0, -16.1),
      'a last level beyond 16': (c) => setScale(c, 1, 17 / (sparse ? 7 : 15)),
      'step below 0': (c) => setScale(c, 1, -1e-3),
      'a scale that only the other kind may have': (c) => (sparse ? setScale(c, 0, -1e-3) : setScale(c, 1, 0)),
    });
  });

  test(`a coded delta that is too long, though each value is in range, ${kind}`, () => {
    assertReasons(update, 'norm-too-large', { 'large steps': (c) => setScale(c, 1, sparse ? 2 : 1) });
  });
}
