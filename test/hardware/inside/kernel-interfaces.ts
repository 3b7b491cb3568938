/** In the guest: the agent's bus and pins on the kernel's own interfaces. See `kernel-interfaces.test.ts`. */
import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { linuxGpio } from '../../../agent/hw/gpio-linux.ts';
import type { I2cBus } from '../../../agent/hw/i2c.ts';
import { AppError } from '../../../core/base/errors.ts';
import { gpioContract } from '../../contract/gpio.ts';
import { failsWith, i2cBusContract } from '../../contract/i2c-bus.ts';
import { FIFO, IDENTITY, PIN, WHO_AM_I } from '../../fixtures/register-file-chip.ts';
import { bestReading, type ClockReading, fitClock } from '../clock-fit.ts';
import { openHost } from './host.ts';
import { openKernelBus } from './kernel-bus.ts';
import { BUTTON_LINE, CHIP_ADDRESS, EMPTY_ADDRESS, INTERRUPT_LINE, LED_LINE, LINES } from './wiring.ts';

const host = openHost();
after(() => host.close());

i2cBusContract("a real kernel's bus", async () => {
  const bus = await openKernelBus();
  return {
    bus,
    address: CHIP_ADDRESS,
    absent: EMPTY_ADDRESS,
    unplug: async () => host.call('unplug', CHIP_ADDRESS),
    plugIn: async () => host.call('plugIn', CHIP_ADDRESS),
    hang: async () => host.call('hang', Number.MAX_SAFE_INTEGER),
    free: async () => host.call('hang', 0),
    close: () => bus.close(),
  };
});

gpioContract("a real kernel's lines", async () => ({
  gpio: linuxGpio(),
  inputLine: BUTTON_LINE,
  outputLine: LED_LINE,
  absentLine: LINES,
  drive: async (level) => host.call('drive', BUTTON_LINE, level),
  outputLevel: async () => host.call('level', LED_LINE),
  close: async () => undefined,
}));

describe('a real kernel and what hangs on it', () => {
  let bus: I2cBus;
  before(async () => {
    bus = await openKernelBus();
  });
  after(() => bus.close());
  const identity = async () => (await bus.read(CHIP_ADDRESS, WHO_AM_I, 1))[0];

  test('a burst of four kilobytes is two messages', async () => {
    const before = host.call('messages');
    await bus.read(CHIP_ADDRESS, FIFO, 4096);
    assert.equal(host.call('messages') - before, 2);
  });

  test('stuck wires do not stop the event loop, and free ones work without a recovery', async () => {
    host.call('hang', 1);
    let ticks = 0;
    const ticking = setInterval(() => ticks++, 20);
    await assert.rejects(identity(), failsWith('bus-hung'));
    clearInterval(ticking);
    assert.ok(ticks > 10, `the event loop came around ${ticks} times in a second`);
    assert.equal(await identity(), IDENTITY);
  });

  test('of the transactions that a bad contact loses each ends in an error, and the others are right', async () => {
    host.call('nackShare', 0.2);
    let failures = 0;
    for (let i = 0; i < 100; i++) {
      try {
        assert.equal(await identity(), IDENTITY);
      } catch (error) {
        assert.ok(error instanceof AppError && error.code === 'bus-no-answer', String(error));
        failures++;
      }
    }
    host.call('nackShare', 0);
    assert.ok(failures > 15 && failures < 60, `${failures} of 100 failed`); // 36 % are to be expected: two messages each
    assert.equal(await identity(), IDENTITY);
  });

  test("a chip's interrupt that lasts until it is acknowledged is seen every time", async (t) => {
    const pin = await linuxGpio().input(INTERRUPT_LINE, 'rising');
    t.after(() => pin.close());
    for (let i = 0; i < 50; i++) {
      const seen = new Promise<void>((resolve) => {
        const end = pin.watch(() => {
          end();
          resolve();
        });
      });
      await bus.write(CHIP_ADDRESS, PIN, [1]);
      await seen;
      await bus.write(CHIP_ADDRESS, PIN, [0]);
    }
  });

  test("the guest's clock is placed on the simulation's to within a millisecond", async () => {
    const read = (): ClockReading => {
      const beforeUs = performance.now() * 1000;
      const farUs = host.call('nowUs');
      return { beforeUs, farUs, afterUs: performance.now() * 1000 };
    };
    const readWell = () => bestReading(Array.from({ length: 40 }, read));
    const readings: ClockReading[] = [];
    for (let i = 0; i < 8; i++) {
      readings.push(readWell());
      await sleep(250);
    }
    const fit = fitClock(readings);
    const { beforeUs, farUs, afterUs } = readWell();
    const foundUs = Math.abs(fit.toFar((beforeUs + afterUs) / 2) - farUs);
    console.log(`clocks: rate ${fit.rate}, known to ${fit.errorUs.toFixed(0)} us, found ${foundUs.toFixed(0)} us off`);
    assert.ok(fit.errorUs < 1000, `known to ${fit.errorUs} us only`);
    assert.ok(foundUs < 1000, `off by ${foundUs} us`);
  });

  test('three hundred samples of 14 bytes are each read right', async () => {
    const started = performance.now();
    for (let i = 0; i < 300; i++) {
      const sample = Array.from({ length: 14 }, (_, at) => (i + 17 * at) & 0xff);
      await bus.write(CHIP_ADDRESS, 0x10, sample);
      assert.deepEqual([...(await bus.read(CHIP_ADDRESS, 0x10, 14))], sample);
    }
    console.log(`write and read of 14 bytes: ${((performance.now() - started) / 300).toFixed(2)} ms`);
  });
});
