/** Settings that are wrong together: refused without hardware, with the place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkBoard } from '../../agent/check-board.ts';
import { parseAgentConfig } from '../../agent/config.ts';
import { CHIP_NAMES } from '../../agent/sensors/registry.ts';

function check(settings: object): Promise<void> {
  return checkBoard(parseAgentConfig({ device: 'pi-1', ...settings }, 'test'));
}

test('every chip with its defaults, an accelerometer beside a gyroscope, and a board without sensors are right', async () => {
  for (const chip of CHIP_NAMES) await check({ sensors: [{ chip }] });
  await check({
    sensors: [{ chip: 'adxl345', dataReadyLine: 4 }, { chip: 'l3gd20h' }],
    gpio: { statusLed: 17, buttons: { walking: 22 } },
  });
  await check({ sensors: [{ chip: 'mpu6050', rateHz: 200, fifo: false }] });
  await check({});
});

const WRONG: readonly (readonly [string, object, RegExp])[] = [
  ['a rate that the chip does not have', { sensors: [{ chip: 'adxl345', rateHz: 8000 }] }, /ADXL345 .* 8000 Hz/],
  ['two chips at one address', { sensors: [{ chip: 'itg3200' }, { chip: 'mpu6050' }] }, /one address/],
  ['one modality twice', { sensors: [{ chip: 'mpu6050' }, { chip: 'adxl345' }] }, /both measure 'acc'/],
  ['axes that are no mounting', { sensors: [{ chip: 'mpu6050', axes: ['x', 'x', 'z'] }] }, /no rotation/],
  [
    'a window too short for the rate',
    { sensors: [{ chip: 'mpu6050', rateHz: 10 }], window: { seconds: 0.1 } },
    /hold 1 /,
  ],
  ['1 kHz without a FIFO', { sensors: [{ chip: 'mpu6050', rateHz: 1000, fifo: false }] }, /1000 Hz without a FIFO/],
  ['a line with two uses', { gpio: { statusLed: 4, buttons: { walking: 4 } } }, /statusLed and gpio\.buttons\.walking/],
  [
    'an interrupt pin that is a button',
    { sensors: [{ chip: 'mpu6050', dataReadyLine: 4 }], gpio: { buttons: { walking: 4 } } },
    /line 4/,
  ],
  ['a cycle button without a cycle', { gpio: { cycleButton: 4 } }, /nothing to step through/],
];

for (const [name, settings, message] of WRONG) {
  test(`${name}: refused`, () => assert.rejects(check(settings), { code: 'config-invalid', message }));
}
