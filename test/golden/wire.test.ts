/** The wire format is a contract with boards in the field: these bytes change only together with the protocol's documentation. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { encodeUpdate, sizeOfParts } from '../../core/wire/messages.ts';
import {
  SAMPLE_SPEC,
  sampleCodedUpdate,
  sampleStatistics,
  sampleUpdate,
  TINY_SPEC,
} from '../fixtures/sample-update.ts';

/** The network of the first version: the bytes for it are still what they were, but for the number of the protocol. */
const FIRST_SPEC = { ...SAMPLE_SPEC, windowStatistics: false };

const TINY_UPDATE = [
  '08021208626f6172642d3037180c200d280b3572e08d10380a40fa01520d0808100a1900000000000015405a2f0809110000',
  '00000000ec3f187e22200a0300010212031011121a14080415acd4acbf1d72c6393e22060c25df9ad8b15a2f080911000000',
  '000000ec3f187e22200a0300010212031011121a14080415365ae6bf1da01b5c3e2206f9907a4a86556254121c0802157ef3',
  '55bd1d47fafe3c220e8a4e655a996a929aa56aa9b3ba06120f08021503b41cbc1d86689b3c22010c12120802150d8a3abd1d',
  '08d9ed3c2204b65b5d1e120f080215dcabb8bc1d7b4b733c22013862560802121c08021585cb43bd1d14a9e63c220e676a6a',
  '6aa997589aa6666e1dbd09120f080215dad3c43c1d95867b3b22010312120802152f7d2bbd1d7909003d2204dab554a6120f',
  '080215e83c7bbc1d7f5d1b3c2201ce624d08011214080215086a51bd1da035013d2206e562aaa65762120f0802152370bbbc',
  '1dd8c5fb3b22012312110802154ccfd6bc1d13b04d3c2203e97200120f080215cf946dbc1d430c573c22010d',
];

test('the bytes of a fixed update', () => {
  const hex = Buffer.from(encodeUpdate(sampleUpdate({ spec: TINY_SPEC }))).toString('hex');
  assert.deepEqual(hex.match(/.{1,100}/g), TINY_UPDATE);
});

test('an epoch is the last field, 64 bits from the least byte on', () => {
  const update = sampleUpdate({ spec: TINY_SPEC });
  const hex = Buffer.from(encodeUpdate({ ...update, epoch: '0123456789abcdef' })).toString('hex');
  assert.equal(hex, `${TINY_UPDATE.join('')}71efcdab8967452301`);
});

test('the bytes of full-size updates, by hash', () => {
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  assert.equal(digest(encodeUpdate(sampleUpdate({ spec: FIRST_SPEC }))), '438813d77c3435e7');
  assert.equal(
    digest(encodeUpdate(sampleUpdate({ spec: FIRST_SPEC, modelBits: 32, prototypeBits: 32 }))),
    'fb3a604fb2608946',
  );
  assert.equal(digest(encodeUpdate(sampleStatistics(FIRST_SPEC))), 'fd495ed169e0ae4f');
});

test('the bytes of a fixed coded update', () => {
  const { coded } = sampleCodedUpdate({ spec: TINY_SPEC, modelBits: 2, sparse: true });
  assert.equal(Buffer.from(coded?.body ?? []).toString('hex'), 'a6bd259a1b98170843fd549cbec975a8350029');
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  assert.equal(digest(encodeUpdate(sampleCodedUpdate({ spec: FIRST_SPEC }))), 'b07338b1da4b5d57');
  assert.equal(
    digest(encodeUpdate(sampleCodedUpdate({ spec: FIRST_SPEC, modelBits: 4, sparse: true }))),
    '5c414f6a533fe128',
  );
});

test('the size of the reference network at 2 bits, prototypes at 4', () => {
  assert.deepEqual(sizeOfParts(sampleUpdate({ spec: FIRST_SPEC }), 20_998), {
    prototypes: 262,
    model: 5597,
    payload: 5934,
    fp32: 85_528,
  });
});
