import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { recordedMotion, syntheticMotion } from '../../agent/hw/sim/motion.ts';
import { SIMULATED_CHIPS, type SimulatedChipName } from '../../agent/hw/sim/registry.ts';
import { type Bench, bench, DPS, G } from '../fixtures/simulated-bench.ts';

/** An MPU-6050 at 100 Hz. */
async function board(noise = 0): Promise<Bench> {
  const one = await bench('mpu6050', noise);
  one.set(0x1a, 0x03);
  one.set(0x19, 9);
  one.set(0x6b, 0x01);
  return one;
}
const acc = (one: Bench) => one.words(0x3b, 3, 'big');
const gyr = (one: Bench) => one.words(0x43, 3, 'big');

describe('faults of a die', () => {
  it('stuck: it goes on sampling, and every sample is the last', async () => {
    const one = await board(1);
    one.feel((tUs) => ({ acc: [Math.sin(tUs / 1e5) * G, 0, G] }));
    one.wait(10_000);
    const last = acc(one);
    one.faults.stuck = true;
    one.wait(500_000);
    assert.deepEqual(acc(one), last);
    assert.equal(one.get(0x3a) & 1, 1);
    assert.equal(one.chip.measured(), 51);
    one.faults.stuck = false;
    one.wait(500_000);
    assert.notDeepEqual(acc(one), last);
  });

  it('gain: what is above full scale saturates', async () => {
    const one = await board();
    one.feel({ acc: [0.5 * G, 0, G], gyr: [10 * DPS, 0, 0] });
    one.faults.gain = 3;
    one.wait(10_000);
    assert.deepEqual(acc(one), [24576, 0, 32767]);
    assert.deepEqual(gyr(one), [3930, 0, 0]);
  });

  it('rate error: the samples come at the true rate, and their instants stay known across a change', async () => {
    const one = await board();
    const startUs = one.nowUs();
    one.wait(1_000_000);
    one.get(0x75);
    one.faults.rateError = 0.03;
    one.wait(1_000_000);
    one.get(0x75);
    assert.equal(one.chip.measured(), 203);
    assert.equal(one.chip.sampleTimeUs(99), startUs + 1_000_000);
    assert.ok(Math.abs(one.chip.sampleTimeUs(202) - (startUs + 2_000_000)) < 1e-3);
  });

  it('drift: a bias that grows by the second, and goes when it is taken off', async () => {
    const one = await board();
    one.feel({ acc: [0, 0, 0] });
    one.wait(10_000);
    one.get(0x75);
    one.faults.driftPerSecond = 0.1;
    one.wait(2_000_000);
    const [x = 0] = acc(one);
    assert.ok(Math.abs(x - (0.2 / G) * 16384) <= 1, `${x}`);
    const [turn = 0] = gyr(one);
    assert.ok(Math.abs(turn - (0.2 / DPS) * 131) <= 1, `${turn}`);
    one.faults.driftPerSecond = 0;
    one.wait(10_000);
    assert.deepEqual(acc(one), [0, 0, 0]);
  });
});

describe('noise', () => {
  it('has the density of the datasheet', async () => {
    const one = await board(1);
    one.feel({ acc: [0, 0, 0] });
    const codes: number[] = [];
    for (let i = 0; i < 3000; i++) {
      one.wait(10_000);
      codes.push(...acc(one));
    }
    const rms = Math.sqrt(codes.reduce((sum, code) => sum + code * code, 0) / codes.length);
    // PS, Accelerometer Specifications: 400 µg/√Hz over the 42 Hz of DLPF_CFG 3, and a twelfth of a code squared of rounding
    const expected = Math.sqrt((400e-6 * Math.sqrt(42) * 16384) ** 2 + 1 / 12);
    assert.ok(Math.abs(rms / expected - 1) < 0.05, `${rms} of ${expected}`);
  });

  it('is the same for the same random numbers', async () => {
    const runs = await Promise.all([board(1), board(1)]);
    for (const one of runs) one.wait(100_000);
    const [first, second] = runs.map(acc);
    assert.deepEqual(first, second);
    assert.notDeepEqual(first, [0, 0, 16384]);
  });
});

describe('motion', () => {
  const recording = { tUs: [500, 10_500, 20_500], acc: [1, 2, 3, 4, 5, 6, 7, 8, 9], gyr: [0, 0, 1, 0, 0, 2, 0, 0, 3] };

  it('of a recording is its nearest earlier row', () => {
    const motion = recordedMotion(recording, 'hold', 1000);
    assert.deepEqual(motion(0).acc, [1, 2, 3]);
    assert.deepEqual(motion(1000).acc, [1, 2, 3]);
    assert.deepEqual(motion(10_999).acc, [1, 2, 3]);
    assert.deepEqual(motion(11_000).acc, [4, 5, 6]);
    assert.deepEqual(motion(11_000).gyr, [0, 0, 2]);
    assert.deepEqual(motion(1e9).acc, [7, 8, 9]);
  });

  it('of a looped recording starts again one row after its last', () => {
    const motion = recordedMotion(recording, 'loop');
    assert.deepEqual(motion(29_999).acc, [7, 8, 9]);
    assert.deepEqual(motion(30_000).acc, [1, 2, 3]);
    assert.deepEqual(motion(30_000 * 1000 + 10_000).acc, [4, 5, 6]);
  });

  it('passes through a chip to the code, from a recording in float32', async () => {
    const codes = Array.from({ length: 300 }, (_, i) => [i * 109 - 16000, 7 - 2 * i, 32767 - i * 200]).flat();
    const turns = codes.map((code) => -1 - code);
    const one = await board();
    const motion = recordedMotion(
      {
        tUs: Float64Array.from({ length: 300 }, (_, i) => i * 10_000),
        acc: Float32Array.from(codes, (code) => (code / 16384) * G),
        gyr: Float32Array.from(turns, (code) => (code / 131) * DPS),
      },
      'hold',
      one.nowUs() + 10_000,
    );
    one.feel(motion);
    for (let i = 0; i < 300; i++) {
      one.wait(10_000);
      assert.deepEqual(acc(one), codes.slice(3 * i, 3 * i + 3));
      assert.deepEqual(gyr(one), turns.slice(3 * i, 3 * i + 3));
    }
  });

  it('synthetic: walks for twelve seconds and rests for eight, around 1 g', () => {
    const motion = syntheticMotion();
    const spread = (fromS: number) => {
      const values = Array.from({ length: 400 }, (_, i) => motion((fromS + i / 100) * 1e6).acc[2]);
      return Math.max(...values) - Math.min(...values);
    };
    assert.ok(spread(2) > 3);
    assert.equal(spread(14), 0);
    assert.ok(spread(22) > 3);
    assert.deepEqual(motion(15e6).acc, [0, 0, 9.80665]);
  });
});

describe('every simulated chip', () => {
  it('does not make up hours of samples that no FIFO could hold', async () => {
    for (const name of ['mpu6500', 'itg3200'] as const) {
      const one = await bench(name);
      let asked = 0;
      one.feel(() => {
        asked++;
        return {};
      });
      one.get(0x00);
      one.wait(3600 * 1e6);
      one.get(0x00);
      assert.equal(one.chip.measured(), 3600 * 8000, name);
      assert.ok(asked > 40_000 && asked < 60_000, `${name}: ${asked}`);
    }
  });

  it('counts all samples of the hours nobody asked', async () => {
    const one = await board();
    one.wait(3600 * 1e6);
    one.get(0x75);
    assert.equal(one.chip.measured(), 360_000);
  });

  it('does the same, whether it is asked often or once', async () => {
    const often = await board(1);
    const once = await board(1);
    for (const one of [often, once]) {
      one.set(0x23, 0x78);
      one.set(0x6a, 0x40);
    }
    for (let i = 0; i < 700; i++) {
      often.wait(1000);
      often.get(0x75);
    }
    once.wait(700_000);
    assert.deepEqual(often.burst(0x74, 840), once.burst(0x74, 840));
  });

  it('a power cycle empties and restarts each of them', async () => {
    for (const name of Object.keys(SIMULATED_CHIPS) as SimulatedChipName[]) {
      const one = await bench(name);
      const fresh = one.burst(0x00, 16);
      for (const register of [0x10, 0x11, 0x15, 0x20, 0x2c, 0x40]) one.set(register, 0x15);
      one.wait(1000);
      one.chip.powerCycle(one.nowUs());
      assert.deepEqual(one.burst(0x00, 16), fresh, name);
      assert.equal(one.chip.measured(), 0, name);
    }
  });
});
