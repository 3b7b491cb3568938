/**
 * The board's LED, for the person beside it: on = sampling under a label, slow blink = sampling without one, fast blink = a sensor is
 * failing, off = not running.
 */
import type { Clock } from '../../core/base/clock.ts';
import type { Lifecycle } from '../../core/base/lifecycle.ts';
import type { Gpio } from '../hw/gpio.ts';

export type BoardMood = 'labelled' | 'sampling' | 'failing';

/** Milliseconds on and off; off 0: always on. */
const PATTERNS: Readonly<Record<BoardMood, readonly [onMs: number, offMs: number]>> = {
  labelled: [500, 0],
  sampling: [100, 1900],
  failing: [125, 125],
};

/** @param mood asked at each turn of the pattern @throws AppError `gpio-failed` from `start` */
export function createStatusLed(gpio: Gpio, line: number, mood: () => BoardMood, clock: Clock): Lifecycle {
  const stopping = new AbortController();
  let blinking: Promise<void> = Promise.resolve();
  return {
    async start(signal) {
      const led = await gpio.output(line, 0);
      const until = AbortSignal.any([signal, stopping.signal]);
      blinking = (async () => {
        try {
          while (!until.aborted) {
            const [onMs, offMs] = PATTERNS[mood()];
            await led.write(1);
            await clock.sleep(onMs, until);
            if (offMs === 0) continue;
            await led.write(0);
            await clock.sleep(offMs, until);
          }
        } catch (error) {
          if (!until.aborted) throw error;
        } finally {
          await led.write(0).finally(() => led.close());
        }
      })();
      blinking.catch(() => undefined); // a broken LED is told by stop(), and stops nothing
    },
    async stop() {
      stopping.abort(new Error('stopped'));
      await blinking.catch(() => undefined);
    },
  };
}
