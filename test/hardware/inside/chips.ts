/** In the guest: the drivers' contract on the kernel's own bus. See `chips.test.ts`. */
import { after } from 'node:test';
import { CHIP_NAMES } from '../../../agent/sensors/registry.ts';
import { testChips } from '../../contract/chip.ts';
import type { ChipCalls } from '../chips.test.ts';
import { openHost } from './host.ts';
import { openKernelBus } from './kernel-bus.ts';

const host = openHost<ChipCalls>();
after(() => host.close());

testChips(
  "a real kernel's bus",
  async (name, address, motion) => {
    host.call('mountChip', name, address, motion);
    const bus = await openKernelBus();
    let nowUs = host.call('nowUs'); // nobody else moves it
    return {
      bus,
      nowUs: () => nowUs,
      async sleep(ms) {
        nowUs = host.call('pass', ms);
      },
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
  CHIP_NAMES,
);
