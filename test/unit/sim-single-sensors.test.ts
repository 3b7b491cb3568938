import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Bench, bench, DPS, G, numbered, toWords } from '../fixtures/simulated-bench.ts';

describe('ADXL345', () => {
  /** 100 Hz, full resolution, ±16 g. */
  async function running(fifo = 0x00) {
    const board = await bench('adxl345', 0, 0x53);
    board.set(0x31, 0x0b);
    board.set(0x38, fifo);
    board.set(0x2d, 0x08);
    return board;
  }
  const entry = (board: Bench) => board.words(0x32, 3, 'little');

  it('wakes in standby with its defaults', async () => {
    const board = await bench('adxl345', 0, 0x53);
    assert.equal(board.get(0x00), 0xe5);
    assert.equal(board.get(0x2c), 0x0a);
    assert.equal(board.get(0x30), 0x02);
    for (const register of [0x2d, 0x2e, 0x2f, 0x31, 0x38, 0x39]) assert.equal(board.get(register), 0);
    board.wait(1_000_000);
    board.get(0x00);
    assert.equal(board.chip.measured(), 0);
  });

  it('samples at 3200 Hz / 2^(15 − code)', async () => {
    for (const [code, count] of [
      [0x0f, 3200],
      [0x0d, 800],
      [0x0a, 100],
      [0x07, 12],
    ] as const) {
      const board = await bench('adxl345', 0, 0x53);
      board.set(0x2c, code);
      board.set(0x2d, 0x08);
      board.wait(1_000_000);
      board.get(0x00);
      assert.equal(board.chip.measured(), count);
    }
  });

  it('256 codes per g in full resolution, ten bits over the range without', async () => {
    const board = await running();
    board.feel({ acc: [G, -1.5 * G, 20 * G] });
    for (const [format, codes] of [
      [0x0b, [256, -384, 4095]],
      [0x0a, [256, -384, 2047]],
      [0x08, [256, -384, 511]],
      [0x00, [256, -384, 511]],
      [0x01, [128, -192, 511]],
      [0x02, [64, -96, 511]],
      [0x03, [32, -48, 511]],
    ] as const) {
      board.set(0x31, format);
      board.wait(10_000);
      assert.deepEqual(entry(board), codes, format.toString(16));
    }
    for (const [format, codes] of [
      [0x07, [32 << 6, -48 << 6, 511 << 6]],
      [0x0f, [256 << 3, -384 << 3, 4095 << 3]],
    ] as const) {
      board.set(0x31, format);
      board.wait(10_000);
      assert.deepEqual(entry(board), codes, format.toString(16));
    }
  });

  it('from 1600 Hz on the last bit of the finest scales is 0', async () => {
    const board = await running();
    board.feel({ acc: [(3 * G) / 256, (-5 * G) / 256, (4 * G) / 256] });
    board.set(0x2c, 0x0e);
    board.wait(10_000);
    assert.deepEqual(entry(board), [2, -6, 4]);
    board.set(0x31, 0x01);
    board.wait(10_000);
    assert.deepEqual(entry(board), [2, -2, 2]);
    board.feel({ acc: [(6 * G) / 256, 0, 0] });
    board.wait(10_000);
    assert.deepEqual(entry(board), [3, 0, 0]);
  });

  it('offsets count 15.6 mg', async () => {
    const board = await running();
    board.feel({ acc: [0, 0, G] });
    board.set(0x1e, 0x02, 0xff, 0xc0);
    board.wait(10_000);
    assert.deepEqual(entry(board), [8, -4, 0]);
  });

  it('self-test moves X up, Y down, Z up within the limits', async () => {
    const board = await running();
    board.feel({ acc: [0, 0, 0] });
    board.set(0x31, 0x8b);
    board.wait(10_000);
    const [x = 0, y = 0, z = 0] = entry(board).map((code) => code / 256);
    assert.ok(x >= 0.2 && x <= 2.1 && y <= -0.2 && y >= -2.1 && z >= 0.3 && z <= 3.4);
  });

  it('in stream mode keeps the newest, and each burst takes one entry', async () => {
    const board = await running(0x80);
    board.feel(numbered(() => board.chip, 256, 1));
    board.wait(30_000);
    assert.equal(board.get(0x39), 3);
    assert.deepEqual(entry(board), [10, 11, 12]);
    assert.deepEqual(entry(board), [20, 21, 22]);
    assert.equal(board.get(0x39), 1);
    board.wait(400_000);
    assert.equal(board.get(0x39), 32);
    assert.equal(board.get(0x30) & 0x81, 0x81);
    // 43 samples, of which 33 are there: 32 in the FIFO and one in the filter
    assert.deepEqual(entry(board), [110, 111, 112]);
    assert.equal(board.get(0x30) & 1, 0);
  });

  it('a full FIFO is an overrun before anything is lost, and bypass mode does not take the flag away', async () => {
    const board = await running(0x80);
    board.wait(310_000);
    assert.equal(board.get(0x30) & 1, 0);
    board.wait(10_000);
    assert.equal(board.get(0x39), 32);
    assert.equal(board.get(0x30) & 1, 1);
    board.set(0x38, 0x00);
    board.set(0x38, 0x80);
    assert.equal(board.get(0x39), 0);
    assert.equal(board.get(0x30) & 1, 1);
    entry(board);
    assert.equal(board.get(0x30) & 1, 0);
  });

  it('a burst of one byte throws the rest of its entry away', async () => {
    const board = await running(0x80);
    board.feel(numbered(() => board.chip, 256, 1));
    board.wait(30_000);
    board.get(0x32);
    assert.deepEqual(entry(board), [20, 21, 22]);
  });

  it('a burst beyond the data takes its entry before FIFO_STATUS is read', async () => {
    const board = await running(0x80);
    board.wait(30_000);
    assert.equal(board.burst(0x32, 8)[7], 2);
    assert.equal(board.get(0x39), 2);
  });

  it('in FIFO mode keeps the oldest', async () => {
    const board = await running(0x40);
    board.feel(numbered(() => board.chip, 256, 1));
    board.wait(500_000);
    assert.equal(board.get(0x39), 32);
    assert.deepEqual(entry(board), [10, 11, 12]);
  });

  it('bypassed, an unread sample that is replaced is an overrun', async () => {
    const board = await running();
    board.wait(10_000);
    assert.equal(board.get(0x30) & 0x81, 0x80);
    board.wait(10_000);
    assert.equal(board.get(0x30) & 0x81, 0x81);
    entry(board);
    assert.equal(board.get(0x30) & 0x81, 0);
  });

  it('drives INT1 with what is enabled and not mapped to INT2, by its watermark too', async () => {
    const board = await running(0x84);
    board.set(0x2e, 0x02);
    board.wait(30_000);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 0);
    board.wait(10_000);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 1);
    board.set(0x2f, 0x02);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 0);
    board.set(0x2f, 0x00);
    board.set(0x31, 0x2b);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 0);
  });
});

describe('ITG-3200', () => {
  /** 100 Hz, ±2000 °/s. */
  async function running() {
    const board = await bench('itg3200');
    board.set(0x16, 0x1b);
    board.set(0x15, 9);
    return board;
  }

  it('wakes awake at 8 kHz; bits 6 to 1 of WHO_AM_I are 110100', async () => {
    const board = await bench('itg3200');
    assert.equal((board.get(0x00) >> 1) & 0x3f, 0b110100);
    for (const register of [0x15, 0x16, 0x17, 0x3e]) assert.equal(board.get(register), 0);
    board.wait(100_000);
    board.get(0x00);
    assert.equal(board.chip.measured(), 800);
  });

  it('14.375 codes per °/s and 280 per °C, big endian; only with FS_SEL 3', async () => {
    const board = await running();
    board.feel({ gyr: [80 * DPS, -80 * DPS, 3000 * DPS], temperatureC: 36 });
    board.wait(10_000);
    assert.deepEqual(board.words(0x1b, 4, 'big'), [-12920, 1150, -1150, 32767]);
    board.set(0x16, 0x03);
    board.wait(10_000);
    assert.deepEqual(board.words(0x1d, 3, 'big'), [0, 0, 0]);
  });

  it('sleeps by PWR_MGM and resets by its top bit', async () => {
    const board = await running();
    board.set(0x3e, 0x40);
    board.wait(1_000_000);
    board.get(0x00);
    assert.equal(board.chip.measured(), 0);
    board.set(0x3e, 0x80);
    assert.deepEqual([board.get(0x15), board.get(0x16), board.get(0x3e)], [0, 0, 0]);
  });

  it('latches its interrupt until the status is read', async () => {
    const board = await running();
    board.set(0x17, 0x21);
    board.wait(10_000);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 1);
    board.burst(0x1d, 6);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 1);
    assert.equal(board.get(0x1a) & 1, 1);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 0);
  });
});

describe('L3GD20H', () => {
  const AUTO = 0x80;
  /** 100 Hz, ±245 °/s. */
  async function running(fifoMode = -1) {
    const board = await bench('l3gd20h', 0, 0x6b);
    if (fifoMode >= 0) {
      board.set(0x24, 0x40);
      board.set(0x2e, fifoMode << 5);
    }
    board.set(0x20, 0x0f);
    return board;
  }
  const rotation = (board: Bench) => board.words(AUTO | 0x28, 3, 'little');

  it('wakes powered down with its defaults', async () => {
    const board = await bench('l3gd20h', 0, 0x6b);
    assert.equal(board.get(0x0f), 0xd7);
    assert.equal(board.get(0x20), 0x07);
    assert.equal(board.get(0x2f), 0x20);
    board.wait(1_000_000);
    board.get(0x0f);
    assert.equal(board.chip.measured(), 0);
  });

  it('samples at its rates, low ones too', async () => {
    for (const [control, low, count] of [
      [0x0f, 0, 100],
      [0x4f, 0, 200],
      [0x8f, 0, 400],
      [0xcf, 0, 800],
      [0x0f, 1, 12],
      [0x4f, 1, 25],
      [0x8f, 1, 50],
    ] as const) {
      const board = await bench('l3gd20h', 0, 0x6b);
      board.set(0x39, low);
      board.set(0x20, control);
      board.wait(1_000_000);
      board.get(0x0f);
      assert.equal(board.chip.measured(), count);
    }
  });

  it('goes to the next register only with bit 7 of the sub-address', async () => {
    const board = await running();
    assert.deepEqual(board.burst(0x0f, 3), [0xd7, 0xd7, 0xd7]);
    assert.deepEqual(board.burst(AUTO | 0x20, 2), [0x0f, 0x00]);
    board.set(AUTO | 0x22, 0x08, 0x20);
    assert.deepEqual(board.burst(AUTO | 0x22, 2), [0x08, 0x20]);
  });

  it('8.75, 17.5 and 70 m°/s per code, saturated; one °C per code of temperature, downwards', async () => {
    const board = await running();
    board.feel({ gyr: [70 * DPS, -35 * DPS, 5000 * DPS], temperatureC: 30 });
    for (const [control, codes] of [
      [0x00, [8000, -4000, 32767]],
      [0x10, [4000, -2000, 32767]],
      [0x20, [1000, -500, 32767]],
    ] as const) {
      board.set(0x23, control);
      board.wait(10_000);
      assert.deepEqual(rotation(board), codes);
    }
    assert.equal(board.get(0x26), 0xfb);
  });

  it('STATUS says new data and lost data until the data are read', async () => {
    const board = await running();
    board.wait(10_000);
    assert.equal(board.get(0x27), 0x0f);
    board.wait(10_000);
    assert.equal(board.get(0x27), 0xff);
    rotation(board);
    assert.equal(board.get(0x27), 0);
  });

  it('its FIFO is read in one burst that rounds at 2Dh, and streams over its oldest entries', async () => {
    const board = await running(2);
    board.feel(numbered(() => board.chip, 1, 1 / 0.00875));
    board.wait(30_000);
    assert.equal(board.get(0x2f) & 0x7f, 3);
    assert.deepEqual(toWords(board.burst(AUTO | 0x28, 12), 'little'), [13, 14, 15, 23, 24, 25]);
    assert.equal(board.get(0x2f) & 0x7f, 1);
    board.wait(310_000);
    // 34 samples in all, two read: exactly full
    assert.equal(board.get(0x2f) & 0x7f, 0x5f);
    board.wait(10_000);
    assert.deepEqual(toWords(board.burst(AUTO | 0x28, 6), 'little'), [43, 44, 45]);
  });

  it('in FIFO mode keeps the oldest, and bypass empties it', async () => {
    const board = await running(1);
    board.feel(numbered(() => board.chip, 1, 1 / 0.00875));
    board.wait(500_000);
    assert.deepEqual(rotation(board), [13, 14, 15]);
    board.set(0x2e, 0);
    assert.equal(board.get(0x2f), 0x20);
  });

  it('self-test adds 530 °/s at ±2000, Y the other way', async () => {
    const board = await running();
    board.feel({ gyr: [0, 0, 0] });
    board.set(0x23, 0x22);
    board.wait(10_000);
    assert.deepEqual(
      rotation(board).map((code) => Math.round(code * 0.07)),
      [530, -530, 530],
    );
  });

  it('DRDY follows the data', async () => {
    const board = await running();
    board.set(0x22, 0x08);
    board.wait(10_000);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 1);
    rotation(board);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 0);
  });

  it('SW_RES resets', async () => {
    const board = await running();
    board.set(0x39, 0x04);
    assert.equal(board.get(0x20), 0x07);
    assert.equal(board.get(0x39), 0);
  });
});
