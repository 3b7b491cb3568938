/** Time around a board that the program in the guest moves: chips and time-outs go by it, and no result by how fast the guest is. */
import type { After } from './virtio-i2c.ts';

export interface SteppedTime {
  /** Microseconds. */
  nowUs(): number;
  /** Does what has become due on the way. */
  moveTo(nowUs: number): void;
  readonly after: After;
  /** How much is still to become due. */
  waiting(): number;
}

export function createSteppedTime(): SteppedTime {
  let now = 0;
  const waiting = new Set<{ readonly atUs: number; readonly run: () => void }>();
  return {
    nowUs: () => now,
    moveTo(nowUs) {
      now = nowUs;
      for (const one of [...waiting].filter(({ atUs }) => atUs <= now)) {
        waiting.delete(one);
        one.run();
      }
    },
    after: (ms, run) => void waiting.add({ atUs: now + 1000 * ms, run }),
    waiting: () => waiting.size,
  };
}
