import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Bench, bench, DPS, G, numbered, toWords } from '../fixtures/simulated-bench.ts';

const bank = (board: Bench, n: number) => board.set(0x7f, n << 4);

/** Awake, accelerometer and gyroscope at 1125 / (1 + 10) Hz. */
async function awake(divider = 10) {
  const board = await bench('icm20948', 0, 0x69);
  board.set(0x06, 0x01);
  bank(board, 2);
  board.set(0x00, divider);
  board.set(0x10, 0, divider);
  bank(board, 0);
  return board;
}

const periodUs = 1e6 / (1125 / 11);

describe('ICM-20948', () => {
  it('wakes as its register map says, bank by bank', async () => {
    const board = await bench('icm20948', 0, 0x69);
    assert.equal(board.get(0x00), 0xea);
    assert.equal(board.get(0x05), 0x40);
    assert.equal(board.get(0x06), 0x41);
    assert.equal(board.get(0x7f), 0);
    bank(board, 2);
    assert.equal(board.get(0x7f), 0x20);
    assert.equal(board.get(0x01), 0x01);
    assert.equal(board.get(0x14), 0x01);
    assert.equal(board.get(0x00), 0);
  });

  it('has 1125 Hz by a divider of 8 bits for the gyroscope and 12 for the accelerometer', async () => {
    const board = await awake(0);
    board.wait(1_000_000);
    board.get(0x00);
    assert.equal(board.chip.measured(), 1125);
    const accOnly = await bench('icm20948', 0, 0x69);
    accOnly.set(0x07, 0x07);
    bank(accOnly, 2);
    accOnly.set(0x10, 0x04, 0x64);
    bank(accOnly, 0);
    accOnly.set(0x06, 0x01);
    accOnly.wait(2_000_000);
    accOnly.get(0x00);
    assert.equal(accOnly.chip.measured(), 2);
  });

  it('without its filter the gyroscope runs at 9 kHz', async () => {
    const board = await awake();
    bank(board, 2);
    board.set(0x01, 0x00);
    bank(board, 0);
    board.wait(100_000);
    board.get(0x00);
    assert.equal(board.chip.measured() - board.chip.firstSinceRateChange(), 900);
  });

  it('codes per unit, big endian, temperature after both', async () => {
    const board = await awake();
    board.feel({ acc: [G, -G, 0.5 * G], gyr: [10 * DPS, -10 * DPS, 0], temperatureC: 24 });
    for (const [scale, acc, gyr] of [
      [0, 16384, 1310],
      [1, 8192, 655],
      [2, 4096, 328],
      [3, 2048, 164],
    ] as const) {
      bank(board, 2);
      board.set(0x01, (scale << 1) | 1);
      board.set(0x14, (scale << 1) | 1);
      bank(board, 0);
      board.wait(periodUs + 1);
      assert.deepEqual(board.words(0x2d, 7, 'big'), [acc, -acc, acc / 2, gyr, -gyr, 0, 1002]);
    }
  });

  it('its FIFO holds acceleration, then turning rate; overflowing it loses oldest bytes', async () => {
    const board = await awake();
    board.feel(numbered(() => board.chip, 16384, 131));
    board.set(0x67, 0x1e);
    board.set(0x03, 0x40);
    board.wait(2 * periodUs + 1);
    assert.deepEqual(board.words(0x70, 1, 'big'), [24]);
    assert.deepEqual(toWords(board.burst(0x72, 24), 'big'), [10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 24, 25]);
    board.wait(43 * periodUs);
    assert.deepEqual(board.words(0x70, 1, 'big'), [512]);
    assert.equal(board.get(0x1b) & 0x1f, 1);
    assert.equal(board.get(0x1b) & 0x1f, 0);
    // 43 frames are 516 bytes: the first two words are gone
    assert.deepEqual(toWords(board.burst(0x72, 8), 'big'), [32, 33, 34, 35]);
  });

  it('FIFO_RST empties the FIFO and holds it empty until it is taken back', async () => {
    const board = await awake();
    board.set(0x67, 0x10);
    board.set(0x03, 0x40);
    board.wait(3 * periodUs);
    board.set(0x68, 0x1f);
    board.wait(3 * periodUs);
    assert.deepEqual(board.words(0x70, 1, 'big'), [0]);
    board.set(0x68, 0x1e);
    board.wait(3 * periodUs);
    assert.deepEqual(board.words(0x70, 1, 'big'), [18]);
  });

  it('latches its interrupt until INT_STATUS_1 is read', async () => {
    const board = await awake();
    board.set(0x0f, 0x20);
    board.set(0x11, 0x01);
    board.wait(periodUs + 1);
    assert.deepEqual(board.chip.interrupt(board.nowUs()), { level: 1, nextUs: null });
    assert.equal(board.get(0x1a), 1);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 0);
  });

  it('the self-test response is 2620 · 1.01^(code − 1) of bank 1', async () => {
    const board = await awake();
    board.feel({ acc: [0, 0, 0] });
    bank(board, 1);
    const trim = (codes: number[]) => codes.map((code) => Math.round(2620 * 1.01 ** (code - 1)));
    const gyr = trim(board.burst(0x02, 3));
    const acc = trim(board.burst(0x0e, 3));
    bank(board, 2);
    board.set(0x02, 0x38);
    board.set(0x15, 0x1c);
    bank(board, 0);
    board.wait(periodUs + 1);
    assert.deepEqual(board.words(0x2d, 6, 'big'), [...acc, ...gyr]);
  });

  it('DEVICE_RESET puts it to sleep with its defaults', async () => {
    const board = await awake();
    bank(board, 2);
    board.set(0x14, 0x07);
    bank(board, 0);
    board.set(0x06, 0x80);
    assert.equal(board.get(0x06), 0x41);
    bank(board, 2);
    assert.equal(board.get(0x14), 0x01);
  });
});

describe('AK09916', () => {
  function compassOf(board: Bench) {
    const [compass] = board.chip.companions ?? [];
    assert.ok(compass);
    return {
      compass,
      get: (register: number, length: number) => {
        compass.write(Uint8Array.of(register), board.nowUs());
        return [...compass.read(length, board.nowUs())];
      },
      set: (register: number, value: number) => compass.write(Uint8Array.of(register, value), board.nowUs()),
    };
  }

  it('answers at 0x0C on the main bus only through the bypass', async () => {
    const board = await awake();
    const { compass, get } = compassOf(board);
    assert.equal(compass.address, 0x0c);
    assert.equal(compass.answers?.(board.nowUs()), false);
    board.set(0x0f, 0x02);
    assert.equal(compass.answers?.(board.nowUs()), true);
    assert.deepEqual(get(0x00, 2), [0x48, 0x09]);
    board.set(0x03, 0x20);
    assert.equal(compass.answers?.(board.nowUs()), false);
  });

  it('measures in its own axes, little endian, at 100 Hz, and flags what nobody fetched', async () => {
    const board = await awake();
    board.set(0x0f, 0x02);
    const { get, set } = compassOf(board);
    board.feel({ mag: [15, -30, 45] });
    set(0x31, 0x08);
    board.wait(10_000);
    const [status, ...rest] = get(0x10, 9);
    assert.equal(status, 0x01);
    // y and z point the other way than the accelerometer's
    assert.deepEqual(toWords(rest.slice(0, 6), 'little'), [100, 200, -300]);
    assert.deepEqual(get(0x10, 1), [0]);
    board.wait(20_000);
    assert.deepEqual(get(0x10, 1), [0x03]);
  });

  it('keeps a sample that is being read until ST2 is read', async () => {
    const board = await awake();
    board.set(0x0f, 0x02);
    const { get, set } = compassOf(board);
    board.feel({ mag: [15, 0, 0] });
    set(0x31, 0x08);
    board.wait(10_000);
    get(0x11, 2);
    board.feel({ mag: [30, 0, 0] });
    board.wait(10_000);
    assert.deepEqual(toWords(get(0x11, 2), 'little'), [100]);
    get(0x18, 1);
    board.wait(10_000);
    assert.deepEqual(toWords(get(0x11, 2), 'little'), [200]);
  });

  it('a single measurement takes 7.2 ms and powers it down', async () => {
    const board = await awake();
    board.set(0x0f, 0x02);
    const { compass, get, set } = compassOf(board);
    set(0x31, 0x01);
    board.wait(7_100);
    assert.deepEqual(get(0x10, 1), [0]);
    board.wait(100);
    assert.deepEqual(get(0x10, 1), [1]);
    assert.deepEqual(get(0x31, 1), [0]);
    board.wait(1_000_000);
    get(0x10, 1);
    assert.equal(compass.measured(), 1);
  });

  it('says overflow from 4912 µT on', async () => {
    const board = await awake();
    board.set(0x0f, 0x02);
    const { get, set } = compassOf(board);
    board.feel({ mag: [3000, 1912, 0] });
    set(0x31, 0x08);
    board.wait(10_000);
    assert.equal((get(0x18, 1)[0] ?? 0) & 0x08, 0x08);
  });

  it('comes over the auxiliary bus into EXT_SLV_SENS_DATA and the FIFO', async () => {
    const board = await awake();
    board.feel({ acc: [G, 0, 0], mag: [15, -30, 45] });
    board.set(0x03, 0x20);
    bank(board, 3);
    // slave 4 writes 0x08 to CNTL2; slave 0 reads ST1 to ST2
    board.set(0x13, 0x0c, 0x31, 0x80, 0x08);
    board.set(0x03, 0x8c, 0x10, 0x89);
    bank(board, 0);
    board.wait(periodUs + 1);
    assert.equal(board.get(0x17) & 0x40, 0x40);
    board.set(0x66, 0x01);
    board.set(0x67, 0x10);
    board.set(0x03, 0x60);
    board.wait(2 * periodUs);
    const [status, ...external] = board.burst(0x3b, 9);
    assert.equal((status ?? 0) & 1, 1);
    assert.deepEqual(toWords(external.slice(0, 6), 'little'), [100, 200, -300]);
    const frame = board.burst(0x72, 30).slice(15);
    assert.deepEqual(toWords(frame.slice(0, 6), 'big'), [16384, 0, 0]);
    assert.deepEqual(toWords(frame.slice(7, 13), 'little'), [100, 200, -300]);
  });

  it('an address nobody has is a NACK in I2C_MST_STATUS', async () => {
    const board = await awake();
    board.set(0x03, 0x20);
    bank(board, 3);
    board.set(0x07, 0x9e, 0x00, 0x81);
    bank(board, 0);
    board.wait(periodUs + 1);
    assert.equal(board.get(0x17), 0x02);
  });
});
