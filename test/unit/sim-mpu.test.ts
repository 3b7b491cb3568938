import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bench, DPS, G, numbered, toWords } from '../fixtures/simulated-bench.ts';

/** Awake, 1 kHz internal rate, 100 Hz. */
async function awake(name: 'mpu6050' | 'mpu6500' | 'mpu9250' = 'mpu6050') {
  const board = await bench(name);
  board.set(0x6b, 0x01);
  board.set(0x1a, 0x03);
  board.set(0x19, 9);
  return board;
}

describe('MPU family: identity and reset', () => {
  it('wakes as its register map says', async () => {
    for (const [name, whoAmI, power] of [
      ['mpu6050', 0x68, 0x40],
      ['mpu6500', 0x70, 0x01],
      ['mpu9250', 0x71, 0x01],
    ] as const) {
      const board = await bench(name);
      assert.equal(board.get(0x75), whoAmI, name);
      assert.equal(board.get(0x6b), power, name);
      for (const register of [0x19, 0x1a, 0x1b, 0x1c, 0x23, 0x37, 0x38, 0x6a, 0x6c, 0x72, 0x73]) {
        assert.equal(board.get(register), 0, `${name} ${register.toString(16)}`);
      }
    }
  });

  it('an MPU-6050 sleeps until it is woken, an MPU-6500 samples at once', async () => {
    const first = await bench('mpu6050');
    first.get(0x75);
    first.wait(1_000_000);
    first.get(0x75);
    assert.equal(first.chip.measured(), 0);
    const later = await bench('mpu6500');
    later.get(0x75);
    later.wait(1_000_000);
    later.get(0x75);
    assert.equal(later.chip.measured(), 8000);
  });

  it('DEVICE_RESET brings every register back and empties the FIFO, WHO_AM_I cannot be written', async () => {
    const board = await awake();
    board.set(0x75, 0x12);
    assert.equal(board.get(0x75), 0x68);
    board.set(0x1b, 0x18);
    board.set(0x23, 0x08);
    board.set(0x6a, 0x40);
    board.wait(50_000);
    assert.equal(board.words(0x72, 1, 'big')[0], 30);
    board.set(0x6b, 0x80);
    for (const register of [0x19, 0x1a, 0x1b, 0x23, 0x6a]) assert.equal(board.get(register), 0);
    assert.equal(board.get(0x6b), 0x40);
    assert.equal(board.words(0x72, 1, 'big')[0], 0);
  });

  it('a power cycle is a reset too', async () => {
    const board = await awake();
    board.wait(100_000);
    board.chip.powerCycle(board.nowUs());
    assert.equal(board.get(0x6b), 0x40);
    assert.equal(board.chip.measured(), 0);
  });
});

describe('MPU family: rate', () => {
  it('divides 8 kHz without the filter and 1 kHz with it', async () => {
    for (const [filter, divider, samples] of [
      [0, 79, 100],
      [7, 7, 1000],
      [1, 9, 100],
      [6, 0, 1000],
      [3, 19, 50],
    ] as const) {
      const board = await bench('mpu6050');
      board.set(0x1a, filter);
      board.set(0x19, divider);
      board.set(0x6b, 0x01);
      board.wait(1_000_000);
      board.get(0x75);
      assert.equal(board.chip.measured(), samples, `DLPF_CFG ${filter}, SMPLRT_DIV ${divider}`);
    }
  });

  it('on an MPU-6500 the divider does nothing without the filter', async () => {
    const board = await bench('mpu6500');
    board.set(0x19, 9);
    board.wait(100_000);
    board.get(0x75);
    assert.equal(board.chip.measured(), 800);
  });

  it('the first sample comes one period after the wake-up, and its instant can be asked for', async () => {
    const board = await awake();
    const wokenUs = board.nowUs();
    board.wait(9_999);
    board.get(0x75);
    assert.equal(board.chip.measured(), 0);
    board.wait(1);
    board.get(0x75);
    assert.equal(board.chip.measured(), 1);
    assert.equal(board.chip.sampleTimeUs(0), wokenUs + 10_000);
    assert.equal(board.chip.sampleTimeUs(99), wokenUs + 1_000_000);
  });

  it('after a change of rate the index of the first sample is known', async () => {
    const board = await awake();
    board.wait(105_000);
    board.set(0x19, 19);
    const changedUs = board.nowUs();
    board.wait(100_000);
    board.get(0x75);
    assert.equal(board.chip.firstSinceRateChange(), 10);
    assert.equal(board.chip.measured(), 15);
    assert.equal(board.chip.sampleTimeUs(9), changedUs - 5_000);
    assert.equal(board.chip.sampleTimeUs(10), changedUs + 20_000);
  });
});

describe('MPU family: data', () => {
  it('codes per unit by full scale, big endian, saturated', async () => {
    const board = await awake();
    board.feel({ acc: [G, -0.5 * G, 1.75 * G], gyr: [10 * DPS, -20 * DPS, 200 * DPS], temperatureC: 25 });
    for (const [scale, acc, gyr] of [
      [0, [16384, -8192, 28672], [1310, -2620, 26200]],
      [1, [8192, -4096, 14336], [655, -1310, 13100]],
      [2, [4096, -2048, 7168], [328, -656, 6560]],
      [3, [2048, -1024, 3584], [164, -328, 3280]],
    ] as const) {
      board.set(0x1b, scale << 3);
      board.set(0x1c, scale << 3);
      board.wait(10_000);
      // RM, Registers 65 and 66: (25 − 36.53) · 340 = −3920.2
      assert.deepEqual(board.words(0x3b, 7, 'big'), [...acc, -3920, ...gyr]);
    }
    board.set(0x1b, 0);
    board.set(0x1c, 0);
    board.feel({ acc: [3 * G, -3 * G, 0], gyr: [300 * DPS, -300 * DPS, 0] });
    board.wait(10_000);
    assert.deepEqual(board.words(0x3b, 3, 'big'), [32767, -32768, 0]);
    assert.deepEqual(board.words(0x43, 3, 'big'), [32767, -32768, 0]);
  });

  it('an MPU-6500 counts temperature its own way', async () => {
    const board = await awake('mpu6500');
    board.feel({ temperatureC: 31 });
    board.wait(10_000);
    assert.deepEqual(board.words(0x41, 1, 'big'), [3339]);
  });

  it('an axis in standby keeps its value', async () => {
    const board = await awake();
    board.feel({ acc: [G, G, G] });
    board.wait(10_000);
    board.set(0x6c, 0x20);
    board.feel({ acc: [0, 0, 0] });
    board.wait(10_000);
    assert.deepEqual(board.words(0x3b, 3, 'big'), [16384, 0, 0]);
  });

  it('the self-test response is the factory trim of RM, Registers 13 to 16', async () => {
    const board = await awake();
    board.set(0x1b, 0x00);
    board.set(0x1c, 0x10);
    board.feel({ acc: [0, 0, 0] });
    board.wait(10_000);
    const before = board.words(0x3b, 7, 'big');
    board.set(0x1b, 0xe0);
    board.set(0x1c, 0xf0);
    board.wait(10_000);
    const response = board.words(0x3b, 7, 'big').map((code, i) => code - (before[i] ?? 0));
    const [x = 0, y = 0, z = 0, a = 0] = board.burst(0x0d, 4);
    const accCodes = [((x >> 5) << 2) | (a >> 4), ((y >> 5) << 2) | ((a >> 2) & 3), ((z >> 5) << 2) | (a & 3)];
    const gyrCodes = [x & 31, y & 31, z & 31];
    for (const axis of [0, 1, 2]) {
      const accTrim = 4096 * 0.34 * (0.92 / 0.34) ** (((accCodes[axis] ?? 0) - 1) / 30);
      const gyrTrim = (axis === 1 ? -25 : 25) * 131 * 1.046 ** ((gyrCodes[axis] ?? 0) - 1);
      assert.ok(Math.abs((response[axis] ?? 0) - accTrim) <= 1, `acc ${axis}`);
      assert.ok(Math.abs((response[4 + axis] ?? 0) - gyrTrim) <= 1, `gyr ${axis}`);
    }
  });

  it('the self-test response of a later die is 2620 · 1.01^(code − 1)', async () => {
    const board = await awake('mpu9250');
    board.feel({ acc: [0, 0, 0] });
    board.set(0x1b, 0xe0);
    board.set(0x1c, 0xe0);
    board.wait(10_000);
    const trim = (codes: number[]) => codes.map((code) => Math.round(2620 * 1.01 ** (code - 1)));
    assert.deepEqual(board.words(0x3b, 3, 'big'), trim(board.burst(0x0d, 3)));
    assert.deepEqual(board.words(0x43, 3, 'big'), trim(board.burst(0x00, 3)));
  });
});

describe('MPU family: FIFO', () => {
  it('holds what FIFO_EN names in the order of the registers, and one read of FIFO_R_W takes many bytes', async () => {
    const board = await awake();
    board.feel(numbered(() => board.chip, 16384, 131));
    board.set(0x23, 0x78);
    board.set(0x6a, 0x40);
    board.wait(30_000);
    assert.deepEqual(board.words(0x72, 1, 'big'), [36]);
    assert.deepEqual(
      toWords(board.burst(0x74, 36), 'big'),
      [10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 24, 25, 30, 31, 32, 33, 34, 35],
    );
    assert.deepEqual(board.words(0x72, 1, 'big'), [0]);
  });

  it('has the temperature between acceleration and turning rate', async () => {
    const board = await awake();
    board.feel({ acc: [G, 0, 0], gyr: [0, 0, DPS] });
    board.set(0x23, 0x98);
    board.set(0x6a, 0x40);
    board.wait(10_000);
    assert.deepEqual(toWords(board.burst(0x74, 10), 'big'), [16384, 0, 0, -3920, 131]);
  });

  it('stays as it is while FIFO_EN of USER_CTRL is off, and empty it gives its last byte again', async () => {
    const board = await awake();
    board.set(0x23, 0x08);
    board.wait(50_000);
    assert.deepEqual(board.words(0x72, 1, 'big'), [0]);
    board.set(0x6a, 0x40);
    board.feel({ acc: [0, 0, (5 / 16384) * G] });
    board.wait(10_000);
    assert.deepEqual(board.burst(0x74, 8), [0, 0, 0, 0, 0, 5, 5, 5]);
  });

  it('overflowing, an MPU-6050 loses its oldest bytes and the alignment with them', async () => {
    const board = await awake();
    board.feel(numbered(() => board.chip, 16384, 131));
    board.set(0x23, 0x78);
    board.set(0x6a, 0x40);
    board.wait(850_000);
    assert.equal(board.get(0x3a) & 0x10, 0);
    assert.deepEqual(board.words(0x72, 1, 'big'), [1020]);
    board.wait(10_000);
    assert.equal(board.get(0x3a) & 0x10, 0x10);
    assert.deepEqual(board.words(0x72, 1, 'big'), [1024]);
    // 86 frames of 12 bytes are 1032: eight bytes are gone, and the first word is the fifth of the first sample
    assert.deepEqual(toWords(board.burst(0x74, 16), 'big'), [14, 15, 20, 21, 22, 23, 24, 25]);
  });

  it('an MPU-6500 has 512 bytes, and with FIFO_MODE keeps the oldest', async () => {
    const board = await awake('mpu6500');
    board.feel(numbered(() => board.chip, 16384, 131));
    board.set(0x1a, 0x43);
    board.set(0x23, 0x78);
    board.set(0x6a, 0x40);
    board.wait(1_000_000);
    assert.deepEqual(board.words(0x72, 1, 'big'), [512]);
    assert.deepEqual(toWords(board.burst(0x74, 6), 'big'), [10, 11, 12]);
    assert.equal(board.get(0x3a) & 0x10, 0x10);
  });

  it('FIFO_COUNTL alone is the count of the last read of FIFO_COUNTH', async () => {
    const board = await awake();
    board.set(0x23, 0x08);
    board.set(0x6a, 0x40);
    board.wait(10_000);
    assert.deepEqual(board.burst(0x72, 2), [0, 6]);
    board.wait(10_000);
    assert.equal(board.get(0x73), 6);
    assert.deepEqual(board.burst(0x72, 2), [0, 12]);
  });

  it('FIFO_RESET needs FIFO_EN off on an MPU-6050, not on an MPU-6500', async () => {
    for (const [name, left] of [
      ['mpu6050', 6],
      ['mpu6500', 0],
    ] as const) {
      const board = await awake(name);
      board.set(0x23, 0x08);
      board.set(0x6a, 0x40);
      board.wait(10_000);
      board.set(0x6a, 0x44);
      assert.deepEqual(board.words(0x72, 1, 'big'), [left], name);
      assert.equal(board.get(0x6a), 0x40);
      board.set(0x6a, 0x04);
      assert.deepEqual(board.words(0x72, 1, 'big'), [0], name);
    }
  });
});

describe('MPU family: interrupt', () => {
  it('latched, it holds until INT_STATUS is read', async () => {
    const board = await awake();
    board.set(0x37, 0x20);
    board.set(0x38, 0x01);
    assert.deepEqual(board.chip.interrupt(board.nowUs()), { level: 0, nextUs: board.nowUs() + 10_000 });
    board.wait(10_000);
    assert.deepEqual(board.chip.interrupt(board.nowUs()), { level: 1, nextUs: null });
    board.wait(35_000);
    board.burst(0x3b, 14);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 1);
    assert.equal(board.get(0x3a), 0x01);
    assert.deepEqual(board.chip.interrupt(board.nowUs()), { level: 0, nextUs: board.nowUs() + 5_000 });
  });

  it('with INT_RD_CLEAR any read releases it; with INT_LEVEL it is active low', async () => {
    const board = await awake();
    board.set(0x37, 0xb0);
    board.set(0x38, 0x01);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 1);
    board.wait(10_000);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 0);
    board.get(0x75);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 1);
  });

  it('not latched, it is a pulse of 50 µs', async () => {
    const board = await awake();
    board.set(0x38, 0x01);
    board.wait(10_000);
    const raisedUs = board.nowUs();
    assert.deepEqual(board.chip.interrupt(raisedUs), { level: 1, nextUs: raisedUs + 50 });
    assert.deepEqual(board.chip.interrupt(raisedUs + 50), { level: 0, nextUs: raisedUs + 10_000 });
  });

  it('is quiet when nothing is enabled', async () => {
    const board = await awake();
    board.wait(10_000);
    assert.deepEqual(board.chip.interrupt(board.nowUs()), { level: 0, nextUs: null });
  });
});
