/** When a chip's FIFO level was known, on a bus that a busy machine keeps waiting. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { I2cBus } from '../../agent/hw/i2c.ts';
import type { ChipParts } from '../../agent/sensors/chip.ts';
import { readTimed } from '../../agent/sensors/registers.ts';

/** A read during which the clock goes on by `waitMs`, is answered, and goes on by `returnMs`. */
async function timed(waitMs: number, returnMs: number) {
  let tUs = 1_000_000;
  let answeredUs = 0;
  const bus = {
    async read() {
      tUs += 1000 * waitMs;
      answeredUs = tUs;
      tUs += 1000 * returnMs;
      return new Uint8Array(2);
    },
  } as Partial<I2cBus> as I2cBus;
  const settings = { address: 0x68 } as ChipParts['settings'];
  const { knownUs } = await readTimed({ bus, settings, nowUs: () => tUs }, 0x72, 2);
  return { earlyUs: answeredUs - knownUs, endUs: tUs - knownUs };
}

test('a transaction of a millisecond is dated to its middle', async () => {
  assert.equal((await timed(0.4, 0.4)).earlyUs, 0);
});

test('one that waited long before the chip was asked is never dated much earlier than the answer', async () => {
  for (const waitMs of [1, 5, 50, 500]) {
    const { earlyUs } = await timed(waitMs, 0.1);
    assert.ok(earlyUs <= 500, `${waitMs} ms of waiting: ${earlyUs} us too early`);
  }
});

test('no transaction is dated after its end', async () => {
  for (const returnMs of [0, 0.2, 30]) assert.ok((await timed(0.2, returnMs)).endUs >= 0);
});
