/** In the guest: the drivers' contract on the kernel's own bus. See `chips.test.ts`. */
import { after } from 'node:test';
import { testChips } from '../../contract/chip.ts';
import type { ChipCalls } from '../chips.test.ts';
import { openHost } from './host.ts';
import { openKernelBus } from './kernel-bus.ts';

/** Those whose traffic differs most: bursts from one register; banks of registers and a second chip behind the first. */
const CHOSEN = ['mpu6050', 'icm20948'] as const;

const host = openHost<ChipCalls>();
after(() => host.close());

testChips(
  "a real kernel's bus",
  async (name, address, motion) => {
    host.call('mountChip', name, address, motion);
    const bus = await openKernelBus();
    return {
      bus,
      nowUs: () => host.call('nowUs'),
      sleep: async (ms) => host.call('pass', ms),
      isOnItsClock: true,
      async powerCycle() {
        host.call('unplug', address);
        host.call('plugIn', address);
      },
      measured: async () => host.call('measured', address),
      interruptLevel: async () => host.call('interruptLevel', address),
      close: () => bus.close(),
    };
  },
  CHOSEN,
);
