import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAdxl345 } from '../../agent/sensors/adxl345.ts';
import { createL3gd20h } from '../../agent/sensors/l3gd20h.ts';
import { createSampleReader } from '../../agent/sensors/sample-fifo.ts';
import { AppError } from '../../core/base/errors.ts';
import { chipOn, littleEndian, serveRegisters } from '../fixtures/served-registers.ts';

const noAnswer = new AppError('bus-no-answer', 'nobody there');

test('a read that fails while samples are taken: nobody knows how many are gone, so the next one says that some are', async () => {
  const served = serveRegisters();
  const chip = chipOn(createL3gd20h, served);
  served.serve(0x2f, [2]);
  served.serve(0xa8, noAnswer, littleEndian(1, 2, 3, 4, 5, 6));
  await assert.rejects(chip.read(), { code: 'bus-no-answer' });
  assert.deepEqual(served.take(), []);
  const burst = await chip.read();
  assert.deepEqual([burst.overflowed, burst.values[0]?.length], [true, 0]);
  assert.deepEqual(served.take(), ['2e = 00', '2e = 42'], 'emptied and started again');
  const next = await chip.read();
  assert.deepEqual([next.overflowed, next.values[0]?.length], [false, 6]);
});

test('a read of the level that fails takes nothing: the samples come with the next one', async () => {
  const served = serveRegisters();
  const chip = chipOn(createL3gd20h, served);
  served.serve(0x2f, noAnswer, [1]);
  served.serve(0xa8, littleEndian(1, 2, 3));
  await assert.rejects(chip.read(), { code: 'bus-no-answer' });
  const burst = await chip.read();
  assert.deepEqual([burst.overflowed, burst.values[0]?.length], [false, 3]);
});

test('a restart that fails is made up for by the next read, however well the FIFO looks then', async () => {
  let restarts = 0;
  const reader = createSampleReader(
    {
      capacity: 10,
      perSecond: 100,
      mostPerTake: 10,
      level: async () => ({ waiting: restarts === 0 ? null : 5, knownUs: 7 }),
      take: async (count) => [new Float32Array(count)],
      async restart() {
        if (++restarts === 1) throw noAnswer;
      },
    },
    1,
    () => 7,
  );
  await assert.rejects(reader.read(), { code: 'bus-no-answer' });
  assert.deepEqual(await reader.read(), { values: [new Float32Array(0)], knownUs: 7, overflowed: true });
  assert.equal(restarts, 2);
  assert.deepEqual(await reader.read(), { values: [new Float32Array(5)], knownUs: 7, overflowed: false });
});

test('an overflow that could have happened between the look at the level and the taking counts as one', async () => {
  for (const [waiting, transactionUs, overflowed] of [
    [20, 300, false], // read faster than they come
    [20, 100_000, true], // 10 new samples a read
    [31, 2000, false],
    [32, 5000, true],
  ] as const) {
    const served = serveRegisters(transactionUs);
    served.serve(0x39, [waiting]);
    served.serve(0x30, [0x80]);
    served.serve(0x32, littleEndian(1, 2, 3));
    const burst = await chipOn(createAdxl345, served).read();
    assert.equal(burst.overflowed, overflowed, `${waiting} samples, ${transactionUs} µs a transaction`);
    assert.equal(burst.values[0]?.length, overflowed ? 0 : waiting * 3);
  }
});
