/** The guest's only I2C bus, through the agent's own adapter of the kernel's interface. */
import type { I2cBus } from '../../../agent/hw/i2c.ts';
import { type LinuxI2cOptions, linuxI2c, listI2cBuses } from '../../../agent/hw/i2c-linux.ts';

export async function openKernelBus(options: LinuxI2cOptions = {}): Promise<I2cBus> {
  const [bus, ...others] = await listI2cBuses();
  if (bus === undefined || others.length > 0)
    throw new Error(`the guest has not one I2C bus but ${others.length || 'none'}`);
  return linuxI2c(options)(bus.number);
}
