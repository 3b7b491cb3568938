/** The GPIO contract over the simulator, and over the kernel's lines with package and sysfs replaced. */
import { linuxGpio } from '../../agent/hw/gpio-linux.ts';
import { createSimulatedGpio } from '../../agent/hw/gpio-sim.ts';
import { createFakeOnoff } from '../fixtures/fake-onoff.ts';
import { gpioContract } from './gpio.ts';

gpioContract('simulator', async () => {
  const gpio = createSimulatedGpio();
  return {
    gpio,
    inputLine: 4,
    outputLine: 17,
    absentLine: 64,
    drive: async (level) => gpio.drive(4, level),
    outputLevel: async () => gpio.level(17),
    close: async () => undefined,
  };
});

gpioContract('gpio-linux.ts over a fake package', async () => {
  const fake = createFakeOnoff([{ label: 'pinctrl-rp1', base: 571, ngpio: 54 }]);
  return {
    gpio: linuxGpio({ sysfs: fake.sysfs, write: fake.write, load: async () => fake.module }),
    inputLine: 4,
    outputLine: 17,
    absentLine: 54,
    drive: async (level) => fake.drive(575, level),
    outputLevel: async () => fake.level(588),
    close: async () => fake.remove(),
  };
});
