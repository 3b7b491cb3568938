/**
 * GPIO lines in memory, driven by tests, by `--sim` and by the interrupt pins of simulated chips.
 * As with the kernel's sysfs and onoff, a watcher is told a little after the edge and with the level found then; a pulse that is over
 * by that time is lost. So whoever works here with short pulses does not work on a board.
 */
import type { Clock } from '../../core/base/clock.ts';
import { AppError } from '../../core/base/errors.ts';
import type { Gpio, GpioInput } from './gpio.ts';
import type { SimulatedWires } from './sim/wires.ts';

export interface SimulatedGpio extends Gpio {
  /** Puts a level on a line from outside, as a button or a chip's pin does. */
  drive(line: number, level: 0 | 1): void;
  /** Level of a line now, whoever drives it; low where nobody has. */
  level(line: number): 0 | 1;
}

type Edges = Parameters<Gpio['input']>[1];

/** @param lines number of lines that the chip has */
export function createSimulatedGpio(lines = 64): SimulatedGpio {
  const levels = new Map<number, 0 | 1>();
  const watchers = new Map<number, Set<() => void>>();
  const taken = new Set<number>();

  const level = (line: number) => levels.get(line) ?? 0;
  const drive = (line: number, next: 0 | 1) => {
    if (level(line) === next) return;
    levels.set(line, next);
    for (const notice of watchers.get(line) ?? []) notice();
  };
  const take = (line: number): (() => void) => {
    if (!Number.isInteger(line) || line < 0 || line >= lines) {
      throw new AppError('gpio-failed', `there is no line ${line}`, { hint: `Lines are 0 to ${lines - 1}.` });
    }
    if (taken.has(line)) throw new AppError('gpio-failed', `line ${line} is in use already`);
    taken.add(line);
    let isHeld = true;
    return () => {
      if (isHeld) taken.delete(line);
      isHeld = false;
    };
  };
  const watch = (line: number, edges: Edges, listener: (level: 0 | 1) => void): (() => void) => {
    const others = watchers.get(line) ?? new Set();
    let isDue = false;
    const look = () => {
      isDue = false;
      const found = level(line);
      const isWanted = edges === 'both' || edges === (found === 1 ? 'rising' : 'falling');
      if (isWanted && others.has(notice)) listener(found);
    };
    const notice = () => {
      if (!isDue) queueMicrotask(look);
      isDue = true;
    };
    watchers.set(line, others.add(notice));
    return () => void others.delete(notice);
  };
  return {
    drive,
    level,
    async input(line, edges): Promise<GpioInput> {
      const release = take(line);
      const ends: (() => void)[] = [];
      return {
        read: async () => level(line),
        watch(listener) {
          const end = watch(line, edges, listener);
          ends.push(end);
          return end;
        },
        close() {
          for (const end of ends) end();
          release();
        },
      };
    },
    async output(line, first) {
      const release = take(line);
      drive(line, first);
      return { write: async (next) => drive(line, next), close: release };
    },
  };
}

export interface WiredPin {
  readonly gpio: Pick<SimulatedGpio, 'drive'>;
  readonly line: number;
  readonly wires: SimulatedWires;
  /** Address of the chip whose interrupt pin it is. */
  readonly address: number;
  readonly clock: Clock;
}

/** Connects a simulated chip's interrupt pin to a line until the signal aborts. */
export function wirePin({ gpio, line, wires, address, clock }: WiredPin, signal: AbortSignal): void {
  let pending = new AbortController();
  const follow = () => {
    pending.abort();
    if (signal.aborted) return;
    const { level, nextUs } = wires.interrupt(address);
    gpio.drive(line, level);
    if (nextUs === null) return;
    pending = new AbortController();
    const waitMs = Math.max(0, (nextUs - wires.nowUs()) / 1000);
    void clock.sleep(waitMs, pending.signal).then(follow, () => undefined);
  };
  const end = wires.onActivity(follow);
  signal.addEventListener('abort', () => {
    end();
    pending.abort();
  });
  follow();
}
