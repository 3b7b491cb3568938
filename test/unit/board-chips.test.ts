import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSimulatedGpio } from '../../agent/hw/gpio-sim.ts';
import type { I2cBus } from '../../agent/hw/i2c.ts';
import { type BoardParts, openBoardChips, type SensorSettings } from '../../agent/sensors/board-chips.ts';
import { AppError } from '../../core/base/errors.ts';

/** Of the MPU-6050 (RM-MPU-6000A, register map). */
const WHO_AM_I = 0x75;
const INT_ENABLE = 0x38;
const DATA_RDY_EN = 0x01;

const SETTINGS = {
  bus: 1,
  rateHz: 100,
  accRangeG: 4,
  gyrRangeDps: 500,
  fifo: true,
  axes: ['x', 'y', 'z'],
} as const;
const sensor = (chip: SensorSettings['chip'], changed: Partial<SensorSettings> = {}): SensorSettings => ({
  ...SETTINGS,
  chip,
  ...changed,
});

function fakes() {
  const opened: number[] = [];
  const closed: number[] = [];
  const gpio = createSimulatedGpio();
  const parts: BoardParts = {
    openBus: async (number) => {
      if (number === 9) throw new AppError('bus-missing', 'no bus 9');
      opened.push(number);
      const unused = () => Promise.reject(new Error('nothing may be sent yet'));
      const bus: I2cBus = {
        read: unused,
        write: unused,
        recover: async () => undefined,
        close: async () => void closed.push(number),
      };
      return bus;
    },
    openGpio: async () => gpio,
    calibrations: { 'adxl345@1:0x53': { date: '', temperatureC: null, modalities: {} } },
    nowUs: () => 0,
    sleep: async () => undefined,
  };
  return { parts, opened, closed, gpio };
}

test('opens each bus once, gives each chip its usual address, its calibration and its pin', async () => {
  const { parts, opened, closed, gpio } = fakes();
  const { chips, close } = await openBoardChips([sensor('adxl345'), sensor('l3gd20h', { dataReadyLine: 4 })], parts);
  assert.deepEqual(
    chips.map(({ id }) => id),
    ['adxl345@1:0x53', 'l3gd20h@1:0x6b'],
  );
  assert.deepEqual(opened, [1]);
  assert.equal(chips[0]?.inTurn, chips[1]?.inTurn, 'the chips of a bus take turns');
  assert.ok(chips[0]?.calibration !== undefined && chips[1]?.calibration === undefined);
  assert.ok(chips[0]?.dataReady === undefined && chips[1]?.dataReady !== undefined);
  await close();
  assert.deepEqual(closed, [1]);
  (await gpio.input(4, 'rising')).close(); // the line is free again
});

test('a chip whose pin is wired is told to use it, another is not', async () => {
  const written: (readonly [address: number, register: number, value: number | undefined])[] = [];
  const bus: I2cBus = {
    read: async (_address, register, length) => new Uint8Array(length).fill(register === WHO_AM_I ? 0x68 : 0),
    write: async (address, register, bytes) => void written.push([address, register, bytes[0]]),
    recover: async () => undefined,
    close: async () => undefined,
  };
  const pair = [sensor('mpu6050', { dataReadyLine: 4 }), sensor('mpu6050', { address: 0x69 })];
  const { chips, close } = await openBoardChips(pair, { ...fakes().parts, openBus: async () => bus });
  for (const { chip } of chips) {
    await chip.identify();
    await chip.configure();
  }
  const enabled = (at: number) =>
    written.some(([address, register, value = 0]) => address === at && register === INT_ENABLE && value & DATA_RDY_EN);
  assert.deepEqual([enabled(0x68), enabled(0x69)], [true, false]);
  await close();
});

test('two chips at one address, a bus that is not there, a line in use: refused, and what was open is closed', async () => {
  const { parts, opened, closed, gpio } = fakes();
  await assert.rejects(openBoardChips([sensor('mpu6050'), sensor('bmi160')], parts), { code: 'config-invalid' });
  await assert.rejects(openBoardChips([sensor('mpu6050'), sensor('adxl345', { bus: 9 })], parts), {
    code: 'bus-missing',
  });
  await gpio.input(4, 'rising');
  await assert.rejects(openBoardChips([sensor('mpu6050', { dataReadyLine: 4 })], parts), { code: 'gpio-failed' });
  assert.deepEqual(closed, opened);
  const other = await openBoardChips([sensor('mpu6050'), sensor('bmi160', { address: 0x69 })], parts);
  assert.equal(other.chips.length, 2);
});
