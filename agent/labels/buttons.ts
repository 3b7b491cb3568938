/**
 * Buttons for labels. A button connects its line to ground: pressed is 0, and a pull-up (the Pi's own, or 10 kΩ) holds it at 1 otherwise.
 * Contacts bounce: a press counts when the level has held for `debounceMs`.
 */
import type { Clock } from '../../core/base/clock.ts';
import type { Lifecycle } from '../../core/base/lifecycle.ts';
import type { Gpio, GpioInput } from '../hw/gpio.ts';
import type { LabelDesk } from './label-desk.ts';

export interface ButtonOptions {
  /** Label → line: pressed, the label begins; pressed again, it ends. */
  readonly buttons: Readonly<Record<string, number>>;
  /** Line of the button that steps through `cycle`, after which comes no label. */
  readonly cycleButton?: number | undefined;
  readonly cycle: readonly string[];
  readonly debounceMs: number;
}

/** @throws AppError `gpio-failed` from `start` */
export function createButtons(gpio: Gpio, options: ButtonOptions, desk: LabelDesk, clock: Clock): Lifecycle {
  const undo: (() => void)[] = [];

  async function attach(line: number, onPress: () => void): Promise<void> {
    const input = await gpio.input(line, 'both');
    const stopWatching = watchPresses(input, options.debounceMs, clock, onPress);
    undo.push(() => {
      stopWatching();
      input.close();
    });
  }

  return {
    async start() {
      for (const [label, line] of Object.entries(options.buttons)) {
        await attach(line, () => desk.set(desk.current() === label ? null : label, 'button'));
      }
      if (options.cycleButton === undefined) return;
      await attach(options.cycleButton, () => desk.set(afterThis(desk.current(), options.cycle), 'button'));
    },
    async stop() {
      for (let step = undo.pop(); step !== undefined; step = undo.pop()) step();
    },
  };
}

/** The label that follows in the cycle; null after the last. What is not in the cycle is followed by its first. */
function afterThis(label: string | null, cycle: readonly string[]): string | null {
  return cycle[label === null ? 0 : cycle.indexOf(label) + 1] ?? null;
}

/** Calls `onPress` once for each press that holds for `debounceMs`. Returns what ends it. */
function watchPresses(input: GpioInput, debounceMs: number, clock: Clock, onPress: () => void): () => void {
  let settled: 0 | 1 = 1;
  let settling = new AbortController();
  const stopWatching = input.watch((level) => {
    settling.abort();
    settling = new AbortController();
    clock.sleep(debounceMs, settling.signal).then(
      () => {
        if (level === 0 && settled === 1) onPress();
        settled = level;
      },
      () => undefined, // it bounced
    );
  });
  return () => {
    settling.abort();
    stopWatching();
  };
}
