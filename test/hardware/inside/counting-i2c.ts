/**
 * The package i2c-bus, real in all it does, with its calls counted: time that is moved by hand must stand still until the kernel has
 * answered, or the adapter has what it will answer later.
 */
import { setImmediate as turn } from 'node:timers/promises';
import i2c from 'i2c-bus';
import type { I2cBusModule } from '../../../agent/hw/i2c-linux.ts';

/** Real time after which a call that has not ended may be held by the adapter, milliseconds. */
const ASK_AFTER_MS = 20;

export interface CountingI2c {
  readonly load: () => Promise<I2cBusModule>;
  /** Resolves when all calls have ended but those that the adapter holds. */
  readonly settled: () => Promise<void>;
}

/** @param held transactions that the adapter will answer when time has moved on */
export function countingI2c(held: () => number): CountingI2c {
  let running = 0;
  let onEnd: (() => void) | null = null;
  const counted = async <T>(call: Promise<T>): Promise<T> => {
    running++;
    try {
      return await call;
    } finally {
      running--;
      onEnd?.();
    }
  };
  const openPromisified: I2cBusModule['openPromisified'] = async (number) => {
    const handle = await counted(i2c.openPromisified(number));
    return new Proxy(handle, {
      get(target, key) {
        const own = Reflect.get(target, key);
        return typeof own === 'function' ? (...args: unknown[]) => counted(own.apply(target, args)) : own;
      },
    });
  };
  /** True when a call ended. */
  const untilOneEnds = () =>
    new Promise<boolean>((resolve) => {
      const late = setTimeout(() => resolve(false), ASK_AFTER_MS);
      onEnd = () => {
        clearTimeout(late);
        resolve(true);
      };
    });
  return {
    load: async () => ({ openPromisified }),
    async settled() {
      for (await turn(); running > 0; await turn()) {
        if (!(await untilOneEnds()) && running <= held()) return;
      }
    },
  };
}
