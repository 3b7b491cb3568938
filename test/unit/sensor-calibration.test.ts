import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { laidMotion } from '../../agent/hw/sim/motion.ts';
import type { Motion } from '../../agent/hw/sim/simulated-chip.ts';
import { calibrateChip } from '../../agent/sensors/calibrate.ts';
import {
  accelerometerCalibration,
  correct,
  gyroscopeCalibration,
  NO_CALIBRATION,
  poseOf,
  type Vector3,
} from '../../agent/sensors/calibration.ts';
import {
  calibrationPath,
  loadCalibrations,
  parseCalibrations,
  storeCalibration,
} from '../../agent/sensors/calibration-file.ts';
import { mountingOf } from '../../agent/sensors/mounting.ts';
import { GRAVITY_MPS2 } from '../../agent/sensors/registers.ts';
import { createRng } from '../../core/math/rng.ts';
import { openSimulatedBoard, type SimulatedPart } from '../fixtures/simulated-board.ts';

const near = (actual: readonly number[], expected: readonly number[], by: number) =>
  assert.ok(
    actual.every((value, i) => Math.abs(value - (expected[i] as number)) <= by),
    `${actual} is not ${expected} ± ${by}`,
  );

test('values are (raw − bias) · scale on the chip, then turned to the axes of the board', () => {
  const values = Float32Array.of(1, 2, 3, 4, 5, 6);
  correct(values, { bias: [1, 1, 1], scale: [2, 1, 0.5] }, mountingOf(['y', '-x', 'z']));
  near([...values], [1, 0, 1, 4, -6, 2.5], 1e-6);
});

test('all 24 rotations are mountings, mirror images and double axes are not', () => {
  const all = ['x', 'y', 'z', '-x', '-y', '-z'] as const;
  let rotations = 0;
  for (const x of all) {
    for (const y of all) {
      for (const z of all) {
        let turned: number[] | null = null;
        try {
          const values = Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
          correct(values, NO_CALIBRATION, mountingOf([x, y, z]));
          turned = [...values];
        } catch {
          continue;
        }
        rotations++;
        const [a, b, c, d, e, f, g, h, i] = turned as [number, ...number[]] as number[] as [
          number,
          number,
          number,
          number,
          number,
          number,
          number,
          number,
          number,
        ];
        assert.equal(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g), 1, `${x} ${y} ${z}`);
      }
    }
  }
  assert.equal(rotations, 24);
  assert.throws(() => mountingOf(['x', 'y', '-z']), { code: 'config-invalid' });
});

test('a gyroscope at rest gives its bias; one that turns or trembles gives none', () => {
  const rest: Vector3[] = [0, 1, 2, 3].map((i) => [0.05 + 0.001 * i, -0.02, 0.01]);
  near(gyroscopeCalibration(rest)?.bias ?? [], [0.0515, -0.02, 0.01], 1e-9);
  assert.equal(gyroscopeCalibration(rest.map(([x, y, z], i) => [x, y + 0.03 * i, z])), null);
  assert.equal(gyroscopeCalibration([[3, 0, 0]]), null);
});

test('six poses that no hand holds exactly give bias and scale to a thousandth', () => {
  const rng = createRng('poses');
  for (let run = 0; run < 50; run++) {
    const bias = [0, 1, 2].map(() => rng.normal() * 0.4);
    const scale = [0, 1, 2].map(() => 1 + 0.03 * rng.normal());
    const poses = rng.shuffled([0, 1, 2, 3, 4, 5]).flatMap((pose) => {
      const up = [0, 1, 2].map((axis) => (axis === pose >> 1 ? (pose % 2 === 0 ? 1 : -1) : 0.2 * (rng.next() - 0.5)));
      const length = Math.hypot(...up);
      return Array.from({ length: 5 }, () =>
        up.map((part, i) => {
          const truth = (GRAVITY_MPS2 * part) / length + 0.002 * rng.normal();
          return truth / (scale[i] as number) + (bias[i] as number);
        }),
      ) as unknown as Vector3[];
    });
    const found = accelerometerCalibration(poses);
    near(found.scale, scale, 0.001);
    near(found.bias, bias, 0.01);
    assert.ok(found.residualMps2 < 0.005, `residual ${found.residualMps2}`);
  }
});

test('says which poses are missing, and refuses poses that are not gravity', () => {
  const g = GRAVITY_MPS2;
  const five: Vector3[] = [
    [g, 0, 0],
    [-g, 0, 0],
    [0, g, 0],
    [0, -g, 0],
    [0, 0, g],
  ];
  assert.throws(() => accelerometerCalibration(five), /missing: -z/);
  assert.throws(() => accelerometerCalibration([...five, [0, 0, -2 * g]]), { code: 'data-format' });
  assert.equal(poseOf([7, 7, 0]), null);
  assert.equal(poseOf([0.1, 0, 0]), null);
  assert.equal(poseOf([0.5, -9, 1]), '-y');
});

test('with a person who turns the board, clumsily: every step is taken once it is done well', async () => {
  const g = GRAVITY_MPS2;
  const poses: Vector3[] = [
    [0, 0, g],
    [0.3, 0, -9.8],
    [g, 0.2, 0],
    [-g, 0, 0],
    [0, g, 0.1],
    [0, -g, 0],
  ];
  let turn = -1;
  let trembles = true;
  const motion = (tUs: number): Motion => {
    const shake = trembles ? Math.sin(tUs / 3e5) : 0;
    const [x, y, z] = poses[Math.max(0, turn)] ?? [0, 0, g];
    return { acc: [x + shake, y, z], gyr: [0.05 + shake, -0.03, 0.02], mag: [0, 0, 0], temperatureC: 31 };
  };
  const { board, clock, parts } = await openSimulatedBoard({
    names: ['mpu6050'],
    motion,
    rateHz: 100,
    seed: 'calibrate',
  });
  assert.ok(parts[0] as SimulatedPart);
  const told: string[] = [];
  const asked: string[] = [];
  const { chip } = board.chips[0] as (typeof board.chips)[number];
  const result = calibrateChip({
    chip,
    clock,
    signal: new AbortController().signal,
    prompts: {
      tell: (text) => told.push(text),
      async ask(text) {
        asked.push(text);
        trembles = asked.length === 1 || asked.length === 4; // the first try of each sensor's second step
        if (asked.length > 2 && asked.length !== 5) turn++;
      },
    },
  });
  let isDone = false;
  result.finally(() => {
    isDone = true;
  });
  while (!isDone) await clock.advance(500);
  const { modalities, temperatureC } = await result;
  near(modalities['gyr']?.bias ?? [], [0.05, -0.03, 0.02], 0.003);
  near(modalities['acc']?.bias ?? [], [0, 0, 0], 0.08);
  near(modalities['acc']?.scale ?? [], [1, 1, 1], 0.01);
  assert.ok(Math.abs((temperatureC ?? 0) - 31) < 1);
  assert.ok(told.filter((line) => line.includes('moved')).length === 2, told.join('\n'));
  assert.match(asked.at(-1) ?? '', /up: -y$/, 'only the last missing pose is asked for');
});

test('the board of --sim lies still, and is turned to its next side each time: nothing is asked twice', async () => {
  for (const name of ['mpu6050', 'adxl345'] as const) {
    const { motion, turn } = laidMotion();
    const { board, clock } = await openSimulatedBoard({ names: [name], motion, rateHz: 100, seed: 'laid' });
    const asked: string[] = [];
    const { chip } = board.chips[0] as (typeof board.chips)[number];
    const prompts = {
      tell: () => undefined,
      async ask(text: string) {
        asked.push(text);
        turn();
      },
    };
    let isDone = false;
    const result = calibrateChip({ chip, clock, signal: new AbortController().signal, prompts }).finally(() => {
      isDone = true;
    });
    while (!isDone) await clock.advance(500);
    const { modalities } = await result;
    near(modalities['acc']?.scale ?? [], [1, 1, 1], 0.05);
    assert.equal(asked.length, name === 'mpu6050' ? 7 : 6);
  }
});

test('is stored per chip, and loaded again; others stay', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'qqr-calibration-'));
  try {
    assert.deepEqual(await loadCalibrations(folder), {});
    const one = {
      date: '2026-01-01T00:00:00.000Z',
      temperatureC: 30,
      modalities: { gyr: { bias: [0.1, 0, 0], scale: [1, 1, 1] } },
    } as const;
    const two = { ...one, temperatureC: null };
    await storeCalibration(folder, 'mpu6050@1:0x68', one);
    await storeCalibration(folder, 'adxl345@1:0x53', two);
    assert.deepEqual(await loadCalibrations(folder), { 'mpu6050@1:0x68': one, 'adxl345@1:0x53': two });
    assert.deepEqual(await readdir(folder), ['calibration.json']);
    await writeFile(calibrationPath(folder), '{');
    await assert.rejects(loadCalibrations(folder), { code: 'config-invalid', where: calibrationPath(folder) });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('nonsense in the file is refused with its key', () => {
  const withGyr = (gyr: unknown) => JSON.stringify({ a: { date: '', temperatureC: 1, modalities: { gyr } } });
  const cases: readonly (readonly [string, RegExp])[] = [
    ['[]', /\(file\)/],
    ['{"a": 1}', /^a:/],
    ['{"a": {"date": 1, "temperatureC": null, "modalities": {}}}', /a\.date/],
    ['{"a": {"date": "", "temperatureC": "warm", "modalities": {}}}', /a\.temperatureC/],
    ['{"a": {"date": "", "temperatureC": null}}', /a\.modalities/],
    ['{"a": {"date": "", "temperatureC": null, "modalities": {"mag": {}}}}', /a\.modalities\.mag/],
    [withGyr({ bias: [1, 2], scale: [1, 1, 1] }), /gyr\.bias/],
    [withGyr({ bias: [0, 0, 0], scale: [1, null, 1] }), /gyr\.scale/],
    [withGyr({ bias: [0, 0, 9], scale: [1, 1, 1] }), /no sensor needs this/],
    [withGyr({ bias: [0, 0, 0], scale: [1, 1, 3] }), /no sensor needs this/],
  ];
  for (const [text, key] of cases) {
    assert.throws(
      () => parseCalibrations(text, 'file'),
      (error: Error) => key.test(error.message),
      text,
    );
  }
});
