import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Bench, bench, DPS, G, numbered, toWords } from '../fixtures/simulated-bench.ts';

/** Both sensors on at 100 Hz, ±2 g, ±2000 °/s, started up, FIFO empty. */
async function running() {
  const board = await bench('bmi160');
  board.set(0x7e, 0x11);
  board.set(0x7e, 0x15);
  board.wait(85_000);
  return board;
}

const length = (board: Bench) => board.words(0x22, 1, 'little')[0];

describe('BMI160', () => {
  it('wakes suspended with its defaults', async () => {
    const board = await bench('bmi160');
    assert.equal(board.get(0x00), 0xd1);
    assert.equal(board.get(0x03), 0);
    assert.deepEqual(board.burst(0x40, 8), [0x28, 0x03, 0x28, 0x00, 0x0b, 0x88, 0x80, 0x10]);
    board.wait(1_000_000);
    assert.equal(board.get(0x00), 0xd1);
    assert.equal(board.chip.measured(), 0);
  });

  it('takes its time to start: accelerometer 3.8 ms, gyroscope 80 ms', async () => {
    const board = await bench('bmi160');
    board.set(0x7e, 0x11);
    board.set(0x7e, 0x15);
    assert.equal(board.get(0x03), 0);
    board.wait(4_000);
    assert.equal(board.get(0x03), 0x10);
    board.wait(75_000);
    assert.equal(board.get(0x03), 0x10);
    board.wait(1_000);
    assert.equal(board.get(0x03), 0x14);
    board.set(0x7e, 0x14);
    assert.equal(board.get(0x03), 0x10);
  });

  it('samples at 100 Hz · 2^(odr − 8)', async () => {
    for (const [odr, count] of [
      [6, 25],
      [8, 100],
      [10, 400],
      [12, 1600],
    ] as const) {
      const board = await bench('bmi160');
      board.set(0x40, 0x20 | odr);
      board.set(0x7e, 0x11);
      board.wait(1_000_000);
      board.get(0x00);
      assert.equal(board.chip.measured(), count);
    }
  });

  it('codes per unit by range, little endian, gyroscope first', async () => {
    const board = await running();
    board.feel({ acc: [G, -G, 0], gyr: [100 * DPS, -100 * DPS, 0], temperatureC: 25 });
    for (const [accRange, gyrRange, acc, gyr] of [
      [0x03, 0, 16384, 1640],
      [0x05, 1, 8192, 3280],
      [0x08, 2, 4096, 6560],
      [0x0c, 3, 2048, 13120],
      [0x0c, 4, 2048, 26240],
    ] as const) {
      board.set(0x41, accRange);
      board.set(0x43, gyrRange);
      board.wait(10_000);
      assert.deepEqual(board.words(0x0c, 6, 'little'), [gyr, -gyr, 0, acc, -acc, 0]);
    }
    // DS §2.11.8: 1/512 K from 23 °C
    assert.deepEqual(board.words(0x20, 1, 'little'), [1024]);
  });

  it('each data-ready flag goes with its own data', async () => {
    const board = await running();
    board.wait(10_000);
    assert.equal(board.get(0x1b) & 0xc0, 0xc0);
    board.burst(0x0c, 6);
    assert.equal(board.get(0x1b) & 0xc0, 0x80);
    board.burst(0x12, 6);
    assert.equal(board.get(0x1b) & 0xc0, 0);
  });

  it('sensor time counts 39 µs ticks', async () => {
    const board = await bench('bmi160');
    const [a = 0, b = 0, c = 0] = board.burst(0x18, 3);
    board.wait(1_000_000);
    const [d = 0, e = 0, f = 0] = board.burst(0x18, 3);
    assert.equal((f << 16) + (e << 8) + d - ((c << 16) + (b << 8) + a), 25_600);
  });

  it('soft reset suspends both and brings the defaults back', async () => {
    const board = await running();
    board.set(0x40, 0x2a);
    board.set(0x7e, 0xb6);
    assert.equal(board.get(0x40), 0x28);
    assert.equal(board.get(0x03), 0);
  });

  it('self-test moves the accelerometer both ways, and the gyroscope says that it is well', async () => {
    const board = await running();
    board.set(0x41, 0x08);
    board.set(0x6d, 0x0d);
    board.wait(10_000);
    const up = board.words(0x12, 3, 'little');
    board.set(0x6d, 0x09);
    board.wait(10_000);
    const down = board.words(0x12, 3, 'little');
    // DS, Accelerometer Self-Test: at ±8 g a difference of 0.8 g at least
    for (const axis of [0, 1, 2]) assert.ok((up[axis] ?? 0) - (down[axis] ?? 0) >= 0.8 * 4096);
    assert.equal(board.get(0x1b) & 2, 0);
    board.set(0x6d, 0x10);
    assert.equal(board.get(0x1b) & 2, 2);
  });
});

describe('BMI160: FIFO', () => {
  async function collecting(config: number) {
    const board = await running();
    board.feel(numbered(() => board.chip, 16384, 16.4));
    board.set(0x47, config);
    board.set(0x7e, 0xb0);
    return board;
  }
  /** Number of the last sample that was taken before the FIFO began. */
  const before = (board: Bench) => board.chip.measured();

  it('with headers: one byte, gyroscope, accelerometer', async () => {
    const board = await collecting(0xd0);
    const n = 10 * before(board);
    board.wait(20_000);
    assert.equal(length(board), 26);
    const bytes = board.burst(0x24, 26);
    assert.equal(bytes[0], 0x8c);
    assert.deepEqual(toWords(bytes.slice(1, 13), 'little'), [n + 13, n + 14, n + 15, n + 10, n + 11, n + 12]);
    assert.equal(bytes[13], 0x8c);
    assert.equal(length(board), 0);
  });

  it('without headers: data only', async () => {
    const board = await collecting(0xc0);
    const n = 10 * before(board);
    board.wait(20_000);
    assert.equal(length(board), 24);
    assert.deepEqual(toWords(board.burst(0x24, 12), 'little'), [n + 13, n + 14, n + 15, n + 10, n + 11, n + 12]);
  });

  it('sensors of different rates share a frame where they fall together', async () => {
    const board = await collecting(0xd0);
    board.set(0x40, 0x29);
    board.set(0x7e, 0xb0);
    board.wait(20_000);
    const bytes = board.burst(0x24, 40);
    assert.deepEqual([bytes[0], bytes[7], bytes[20], bytes[27]], [0x84, 0x8c, 0x84, 0x8c]);
  });

  it('overflowing it loses whole oldest frames; a skip frame counts them', async () => {
    const board = await collecting(0xd0);
    const n = before(board);
    board.wait(780_000);
    assert.equal(length(board), 78 * 13);
    board.wait(30_000);
    assert.equal(length(board), 78 * 13 + 2);
    const bytes = board.burst(0x24, 15);
    assert.deepEqual(bytes.slice(0, 3), [0x40, 3, 0x8c]);
    assert.deepEqual(toWords(bytes.slice(3, 5), 'little'), [10 * (n + 4) + 3]);
    assert.equal(length(board), 77 * 13);
  });

  it('a frame that a read leaves unfinished comes again whole', async () => {
    const board = await collecting(0xd0);
    const n = 10 * before(board);
    board.wait(20_000);
    board.burst(0x24, 20);
    assert.equal(length(board), 13);
    const bytes = board.burst(0x24, 13);
    assert.deepEqual(toWords(bytes.slice(1, 3), 'little'), [n + 23]);
  });

  it('a read beyond the last frame brings the sensor time, then 0x80', async () => {
    const board = await collecting(0xd2);
    board.wait(10_000);
    const [time = 0, ,] = board.burst(0x18, 1);
    assert.deepEqual(
      board
        .burst(0x24, 20)
        .slice(13)
        .filter((_, i) => i !== 2 && i !== 3),
      [0x44, time, 0x80, 0x80, 0x80],
    );
    const plain = await collecting(0xc0);
    plain.wait(10_000);
    assert.deepEqual(plain.burst(0x24, 14).slice(12), [0x80, 0x80]);
  });

  it('a change of settings leaves a mark', async () => {
    const board = await collecting(0xd0);
    board.set(0x41, 0x05);
    assert.equal(board.get(0x24), 0x48);
  });
});

describe('BMI160: interrupt', () => {
  it('data ready on INT1, latched until INT_STATUS_1 is read', async () => {
    const board = await running();
    board.set(0x53, 0x0a);
    board.set(0x54, 0x0f);
    board.set(0x56, 0x80);
    board.set(0x51, 0x10);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 0);
    board.wait(10_000);
    assert.deepEqual(board.chip.interrupt(board.nowUs()), { level: 1, nextUs: null });
    assert.equal(board.get(0x1d) & 0x10, 0x10);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 0);
  });

  it('FIFO watermark in units of four bytes', async () => {
    const board = await running();
    board.set(0x53, 0x0a);
    board.set(0x56, 0x40);
    board.set(0x51, 0x40);
    board.set(0x46, 10);
    board.set(0x47, 0xd0);
    board.wait(30_000);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 0);
    board.wait(10_000);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 1);
  });
});
