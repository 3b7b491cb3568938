/** The outer form of a message, before any field means anything: what a lenient parser would accept, or choke on. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { decodeUpdate } from '../../core/wire/decode.ts';
import { MAX_SUBMESSAGES } from '../../core/wire/limits.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import { expectationOf, SAMPLE_SPEC, sampleUpdate } from '../fixtures/sample-update.ts';

const GOOD = sampleUpdate();
const EXPECT = expectationOf(GOOD, SAMPLE_SPEC);

test('frames that a lenient parser would accept or choke on', () => {
  const good = encodeUpdate(GOOD);
  const after = (write: (writer: BinaryWriter) => BinaryWriter) => write(new BinaryWriter().raw(good)).finish();
  const report = (bytes: Uint8Array) => after((w) => w.tag(11, WireType.LengthDelimited).bytes(bytes));
  const frames: [RegExp, string, Uint8Array][] = [
    [/groups are not used/, 'a group', after((w) => w.tag(99, WireType.StartGroup).tag(99, WireType.EndGroup))],
    [/groups are not used/, 'half a million open groups', new Uint8Array(2 ** 19).fill((3 << 3) | WireType.StartGroup)],
    // A parser that ignores wire types reads the length 12 as the round and the content as six times a backlog of 5.
    [
      /field round with wire type 2/,
      'an integer sent as bytes',
      after((w) =>
        w.tag(3, WireType.LengthDelimited).bytes(Uint8Array.from({ length: 12 }, (_, i) => (i % 2 ? 5 : 0x40))),
      ),
    ],
    // … and takes the last code of a cut list from whatever comes behind it.
    [/classes ends inside an element/, 'a list cut inside a varint', report(Uint8Array.of(0x22, 3, 0x0a, 1, 0x80))],
    [/sum ends inside an element/, 'a list cut inside a double', report(Uint8Array.of(0x2a, 5, 0x12, 3, 0, 0, 0))],
    [
      /modalities reaches beyond/,
      'a submessage too long',
      after((w) => w.tag(11, WireType.LengthDelimited).uint32(1000)),
    ],
    [/premature EOF/, 'bytes too long', after((w) => w.tag(99, WireType.LengthDelimited).uint32(2 ** 31))],
    [
      /Online ends inside a field/,
      'a field longer than its submessage',
      after((w) => w.tag(10, WireType.LengthDelimited).bytes(Uint8Array.of(0x19, 0)).raw(new Uint8Array(7))),
    ],
    [/./, 'a device that is not UTF-8', after((w) => w.tag(2, WireType.LengthDelimited).bytes(Uint8Array.of(0xff)))],
    [
      /varint/,
      'an integer of 21 bytes',
      after((w) => w.tag(3, WireType.Varint).raw(new Uint8Array(21).fill(0xff, 0, 20))),
    ],
  ];
  for (const [detail, what, payload] of frames) {
    const decoded = decodeUpdate(payload, EXPECT);
    assert.ok(!decoded.ok, what);
    assert.equal(decoded.reason, 'malformed', what);
    assert.match(decoded.detail, detail, what);
  }
});

test('half a million empty submessages are refused without being built', () => {
  const bomb = new Uint8Array(2 ** 20);
  for (let i = 0; i < bomb.length; i += 2) bomb[i] = (11 << 3) | WireType.LengthDelimited;
  const decoded = decodeUpdate(bomb, EXPECT);
  assert.equal(decoded.ok ? '' : decoded.detail, `more than ${MAX_SUBMESSAGES} submessages`);
});
