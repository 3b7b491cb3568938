/** The ITG-3200's driver against PS-ITG-3200A, byte by byte. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createItg3200 } from '../../agent/sensors/itg3200.ts';
import type { AppError } from '../../core/base/errors.ts';
import { chipOn, serveRegisters } from '../fixtures/served-registers.ts';

test('sets 50 Hz with a 20 Hz filter, whatever range is asked for', async () => {
  const served = serveRegisters();
  served.serve(0x1a, [0x01]);
  const chip = chipOn(createItg3200, served, { rateHz: 50, gyrRangeDps: 250 });
  await chip.configure();
  // FS_SEL 3 and DLPF 4; latched, raw data ready
  assert.deepEqual(served.take(), ['3e = 80', 'pause 100 ms', '3e = 01', '15 = 13 1c 21', 'pause 70 ms']);
  assert.deepEqual(served.takeReads(), ['1a × 1']); // drops what was measured before
  const [gyr] = chip.modalities;
  assert.equal(gyr?.name, 'gyr');
  assert.equal(gyr?.sampleRateHz, 50);
  assert.equal(gyr?.fullScale, Math.fround((2000 * Math.PI) / 180));
  assert.equal(chip.fifoSeconds, 0);
});

test('reads status and axes at once, and a sample once', async () => {
  const served = serveRegisters(300);
  const chip = chipOn(createItg3200, served);
  // status, temperature, 14375, −14375 and 115 LSB: 1000, −1000 and 8 °/s
  const data = [0x12, 0x34, 0x38, 0x27, 0xc7, 0xd9, 0x00, 0x73];
  served.serve(0x1a, [0x05, ...data], [0x00, ...data]);
  const beforeUs = served.nowUs();
  const { values, knownUs, overflowed } = await chip.read();
  assert.deepEqual(served.takeReads(), ['1a × 9']);
  assert.deepEqual(
    values[0],
    Float32Array.from([1000, -1000, 8], (dps) => (dps * Math.PI) / 180),
  );
  assert.equal(knownUs, beforeUs + 150);
  assert.equal(overflowed, false);
  assert.equal((await chip.read()).values[0]?.length, 0);
});

test('knows itself at both addresses, a reset, its temperature, and sleep', async () => {
  const served = serveRegisters();
  const chip = chipOn(createItg3200, served, { rateHz: 1000 });
  for (const whoAmI of [0x68, 0x69]) {
    served.serve(0x00, [whoAmI]);
    assert.deepEqual(await chip.identify(), { whoAmI, part: 'ITG-3200' });
  }
  served.serve(0x00, [0xd3]);
  await assert.rejects(chip.identify(), (error: AppError) => error.code === 'chip-unknown');
  served.serve(0x15, [0x00, 0x19, 0x21]);
  assert.equal(await chip.isConfigured(), true);
  served.serve(0x15, [0x00, 0x00, 0x00]);
  assert.equal(await chip.isConfigured(), false);
  served.serve(0x1b, [0xcc, 0x70]); // −13200
  assert.equal(await chip.temperature(), 35);
  await chip.sleep();
  assert.deepEqual(served.take(), ['3e = 40']);
  assert.equal(await chip.selfTest(), null);
});
