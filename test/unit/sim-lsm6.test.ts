import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Bench, bench, DPS, G, numbered, toWords } from '../fixtures/simulated-bench.ts';

const accUnit = 1000 / 0.061;
const gyrUnit = 1000 / 8.75;

/** Both sensors at 104 Hz, ±2 g and ±245 °/s. */
async function running(name: 'lsm6ds3' | 'lsm6dsox') {
  const board = await bench(name, 0, 0x6a);
  board.set(0x10, 0x40);
  board.set(0x11, 0x40);
  return board;
}

const periodUs = 1e6 / 104;
const samples = (board: Bench, count: number) => board.wait(count * periodUs + 0.01);

describe('LSM6DS3 and LSM6DSOX', () => {
  it('wake powered down, with their own WHO_AM_I', async () => {
    for (const [name, whoAmI, ctrl9] of [
      ['lsm6ds3', 0x69, 0x38],
      ['lsm6dsox', 0x6c, 0xe0],
    ] as const) {
      const board = await bench(name, 0, 0x6a);
      assert.equal(board.get(0x0f), whoAmI);
      assert.equal(board.get(0x12), 0x04);
      assert.equal(board.get(0x18), ctrl9);
      assert.equal(board.get(0x10), 0);
      board.wait(1_000_000);
      board.get(0x0f);
      assert.equal(board.chip.measured(), 0);
    }
  });

  it('sample at the rates of their tables', async () => {
    for (const [name, rates] of [
      ['lsm6ds3', [12.5, 26, 52, 104, 208, 416, 833, 1660, 3330, 6660]],
      ['lsm6dsox', [12.5, 26, 52, 104, 208, 417, 833, 1667, 3333, 6667]],
    ] as const) {
      for (const [i, rate] of rates.entries()) {
        const board = await bench(name, 0, 0x6a);
        board.set(0x10, (i + 1) << 4);
        board.wait(2_000_000.5);
        board.get(0x0f);
        assert.equal(board.chip.measured(), 2 * rate, `${name} code ${i + 1}`);
      }
    }
  });

  it('codes per unit by full scale, little endian, gyroscope first', async () => {
    for (const name of ['lsm6ds3', 'lsm6dsox'] as const) {
      const board = await running(name);
      board.feel({ acc: [0.61 * G, -0.61 * G, 0], gyr: [70 * DPS, -35 * DPS, 0] });
      for (const [ctrl1, ctrl2, gyr, acc] of [
        [0x40, 0x40, 8000, 10000],
        [0x48, 0x44, 4000, 5000],
        [0x4c, 0x48, 2000, 2500],
        [0x44, 0x4c, 1000, 1250],
        [0x40, 0x42, 16000, 10000],
      ] as const) {
        board.set(0x10, ctrl1);
        board.set(0x11, ctrl2);
        samples(board, 1);
        assert.deepEqual(board.words(0x22, 6, 'little'), [gyr, -gyr / 2, 0, acc, -acc, 0], `${name} ${ctrl1}`);
      }
    }
  });

  it('saturate at 16 bits', async () => {
    const board = await running('lsm6ds3');
    board.feel({ acc: [2.5 * G, -2.5 * G, 0], gyr: [300 * DPS, -300 * DPS, 0] });
    samples(board, 1);
    assert.deepEqual(board.words(0x22, 6, 'little'), [32767, -32768, 0, 32767, -32768, 0]);
  });

  it('temperature: 16 codes per °C on the one, 256 on the other, from 25 °C', async () => {
    for (const [name, code] of [
      ['lsm6ds3', 96],
      ['lsm6dsox', 1536],
    ] as const) {
      const board = await running(name);
      board.feel({ temperatureC: 31 });
      samples(board, 1);
      assert.deepEqual(board.words(0x20, 1, 'little'), [code]);
    }
  });

  it('data-ready flags go with the high byte of their own sensor, and INT1 with them', async () => {
    for (const name of ['lsm6ds3', 'lsm6dsox'] as const) {
      const board = await running(name);
      board.set(0x0d, 0x01);
      samples(board, 1);
      assert.equal(board.get(0x1e) & 3, 3);
      assert.equal(board.chip.interrupt(board.nowUs()).level, 1);
      board.burst(0x22, 6);
      assert.equal(board.get(0x1e) & 3, 1);
      board.get(0x28);
      assert.equal(board.get(0x1e) & 3, 1);
      board.burst(0x28, 2);
      assert.equal(board.get(0x1e) & 3, 0);
      assert.equal(board.chip.interrupt(board.nowUs()).level, 0);
    }
  });

  it('without IF_INC a burst reads one register again and again', async () => {
    const board = await running('lsm6dsox');
    board.set(0x12, 0x00);
    assert.deepEqual(board.burst(0x0f, 3), [0x6c, 0x6c, 0x6c]);
  });

  it('SW_RESET powers both sensors down and clears itself', async () => {
    for (const name of ['lsm6ds3', 'lsm6dsox'] as const) {
      const board = await running(name);
      board.set(0x12, 0x05);
      assert.equal(board.get(0x12), 0x04);
      assert.equal(board.get(0x10), 0);
      assert.equal(board.get(0x11), 0);
    }
  });

  it('self-test moves both sensors within what the datasheet allows', async () => {
    for (const name of ['lsm6ds3', 'lsm6dsox'] as const) {
      const board = await running(name);
      board.set(0x11, 0x4c);
      samples(board, 1);
      const before = board.words(0x22, 6, 'little');
      board.set(0x14, 0x05);
      samples(board, 1);
      const change = board.words(0x22, 6, 'little').map((code, i) => Math.abs(code - (before[i] ?? 0)));
      for (const axis of [0, 1, 2]) {
        const dps = (change[axis] ?? 0) * 0.07;
        const milliG = (change[3 + axis] ?? 0) * 0.061;
        assert.ok(dps >= 150 && dps <= 700, `${name} gyr ${dps}`);
        assert.ok(milliG >= 90 && milliG <= 1700, `${name} acc ${milliG}`);
      }
    }
  });
});

describe('LSM6DS3: FIFO', () => {
  async function collecting(decimation = 0x09) {
    const board = await running('lsm6ds3');
    board.feel(numbered(() => board.chip, accUnit, gyrUnit));
    board.set(0x08, decimation);
    board.set(0x0a, 0x26);
    return board;
  }
  const level = (board: Bench) => {
    const [low = 0, high = 0] = board.burst(0x3a, 2);
    return { words: ((high & 0x0f) << 8) | low, flags: high & 0xf0 };
  };

  it('is empty after power-up, and counts words of 16 bits', async () => {
    const board = await collecting();
    assert.deepEqual(level(board), { words: 0, flags: 0x10 });
    samples(board, 2);
    assert.deepEqual(level(board), { words: 12, flags: 0 });
  });

  it('gives the gyroscope before the accelerometer; a burst rounds from 3Fh to 3Eh', async () => {
    const board = await collecting();
    samples(board, 2);
    assert.deepEqual(toWords(board.burst(0x3e, 24), 'little'), [13, 14, 15, 10, 11, 12, 23, 24, 25, 20, 21, 22]);
    assert.equal(level(board).flags, 0x10);
  });

  it('FIFO_STATUS3 says which word comes next', async () => {
    const board = await collecting();
    samples(board, 2);
    for (const place of [0, 1, 2, 3, 4, 5, 0]) {
      assert.deepEqual(board.burst(0x3c, 2), [place, 0]);
      board.burst(0x3e, 2);
    }
  });

  it('decimates each sensor', async () => {
    const board = await collecting(0x11);
    samples(board, 3);
    // gyroscope every second, accelerometer each
    assert.deepEqual(
      toWords(board.burst(0x3e, 30), 'little'),
      [13, 14, 15, 10, 11, 12, 20, 21, 22, 33, 34, 35, 30, 31, 32],
    );
  });

  it('full in continuous mode, it loses whole oldest sets and says so', async () => {
    const board = await collecting();
    samples(board, 682);
    assert.deepEqual(level(board), { words: 4092, flags: 0x20 });
    samples(board, 1);
    const { words, flags } = level(board);
    assert.equal(words, 4095);
    assert.equal(flags & 0x40, 0x40);
    // the first gyroscope set is gone: an accelerometer set is the oldest
    assert.deepEqual(board.burst(0x3c, 2), [3, 0]);
    assert.deepEqual(toWords(board.burst(0x3e, 12), 'little'), [10, 11, 12, 23, 24, 25]);
    assert.equal(level(board).flags & 0x40, 0);
  });

  it('in FIFO mode it stops when it is full', async () => {
    const board = await running('lsm6ds3');
    board.feel(numbered(() => board.chip, accUnit, gyrUnit));
    board.set(0x08, 0x09);
    board.set(0x0a, 0x21);
    samples(board, 700);
    assert.deepEqual(toWords(board.burst(0x3e, 6), 'little'), [13, 14, 15]);
  });

  it('the watermark is in words and can drive INT1', async () => {
    const board = await collecting();
    board.set(0x06, 24);
    board.set(0x0d, 0x08);
    samples(board, 3);
    assert.equal(level(board).flags, 0);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 0);
    samples(board, 1);
    assert.equal(level(board).flags, 0x80);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 1);
  });

  it('bypass mode empties it', async () => {
    const board = await collecting();
    samples(board, 5);
    board.set(0x0a, 0x20);
    assert.equal(level(board).words, 0);
  });
});

describe('LSM6DSOX: FIFO', () => {
  async function collecting(batch = 0x44, mode = 0x06) {
    const board = await running('lsm6dsox');
    board.feel(numbered(() => board.chip, accUnit, gyrUnit));
    board.set(0x09, batch);
    board.set(0x0a, mode);
    return board;
  }
  const level = (board: Bench) => {
    const [low = 0, high = 0] = board.burst(0x3a, 2);
    return { words: ((high & 3) << 8) | low, flags: high & 0xfc };
  };

  it('holds words of a tag with even parity and a slot count, gyroscope first', async () => {
    const board = await collecting();
    samples(board, 3);
    assert.deepEqual(level(board), { words: 6, flags: 0 });
    const bytes = board.burst(0x78, 42);
    const tags = [0, 7, 14, 21, 28, 35].map((at) => bytes[at]);
    // tag 1 gyroscope, 2 accelerometer; count 0, 1, 2; the parity bit makes the ones even
    assert.deepEqual(tags, [0x09, 0x11, 0x0a, 0x12, 0x0c, 0x14]);
    assert.deepEqual(toWords(bytes.slice(1, 7), 'little'), [13, 14, 15]);
    assert.deepEqual(toWords(bytes.slice(8, 14), 'little'), [10, 11, 12]);
    assert.deepEqual(toWords(bytes.slice(36, 42), 'little'), [30, 31, 32]);
    assert.equal(level(board).words, 0);
  });

  it('batches each sensor at its own rate', async () => {
    // gyroscope at 26 Hz, accelerometer at 104 Hz
    const board = await collecting(0x24);
    samples(board, 4);
    const bytes = board.burst(0x78, 35);
    assert.deepEqual(
      [0, 7, 14, 21, 28].map((at) => (bytes[at] ?? 0) >> 3),
      [2, 2, 2, 1, 2],
    );
  });

  it('has 512 words; in continuous mode the oldest go and both overrun flags come', async () => {
    const board = await collecting();
    samples(board, 256);
    assert.deepEqual(level(board), { words: 512, flags: 0x20 });
    samples(board, 1);
    assert.deepEqual(level(board), { words: 512, flags: 0x68 });
    // the latched flag went with the read of FIFO_STATUS2
    assert.deepEqual(level(board), { words: 512, flags: 0x60 });
    const bytes = board.burst(0x78, 7);
    assert.deepEqual(toWords(bytes.slice(1), 'little'), [23, 24, 25]);
    assert.equal(level(board).flags & 0x48, 0);
  });

  it('in FIFO mode it stops when it is full', async () => {
    const board = await collecting(0x44, 0x01);
    samples(board, 300);
    assert.equal(level(board).words, 512);
    assert.deepEqual(toWords(board.burst(0x78, 7).slice(1), 'little'), [13, 14, 15]);
  });

  it('watermark in words, INT1, bypass', async () => {
    const board = await collecting();
    board.set(0x07, 8);
    board.set(0x0d, 0x08);
    samples(board, 3);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 0);
    samples(board, 1);
    assert.equal(level(board).flags & 0x80, 0x80);
    assert.equal(board.chip.interrupt(board.nowUs()).level, 1);
    board.set(0x0a, 0x00);
    assert.equal(level(board).words, 0);
  });
});
