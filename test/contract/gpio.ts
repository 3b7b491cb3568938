/** What every GPIO promises (agent/hw/gpio.ts), with somebody at the other end of two of its lines. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Gpio, GpioInput } from '../../agent/hw/gpio.ts';
import { failsWith } from './i2c-bus.ts';

export interface GpioUnderTest {
  readonly gpio: Gpio;
  readonly inputLine: number;
  readonly outputLine: number;
  /** A number beyond the chip's lines. */
  readonly absentLine: number;
  /** Puts a level on the input's line from outside. */
  drive(level: 0 | 1): Promise<void>;
  /** The output's line, seen from outside. */
  outputLevel(): Promise<0 | 1>;
  close(): Promise<void>;
}

const LIMIT = { timeout: 30_000 };

/** What a watcher was told, and a way to wait for it. */
function collector() {
  const told: (0 | 1)[] = [];
  let look: () => void = () => undefined;
  return {
    told,
    /** Without what was told more than once: an edge from before the watch may still come, and edges may come together. */
    changes: () => told.filter((level, i) => level !== told[i - 1]),
    listener(level: 0 | 1) {
      told.push(level);
      look();
    },
    async until(isThere: () => boolean): Promise<void> {
      while (!isThere()) await new Promise<void>((resolve) => (look = resolve));
    },
  };
}

export function gpioContract(name: string, open: () => Promise<GpioUnderTest>): void {
  describe(`GPIO contract: ${name}`, () => {
    let under: GpioUnderTest;
    let gpio: Gpio;
    before(async () => {
      under = await open();
      gpio = under.gpio;
    });
    after(() => under.close());

    /** Levels travel to a real line in their time. */
    const driven = async (input: GpioInput, level: 0 | 1) => {
      await under.drive(level);
      while ((await input.read()) !== level) await new Promise(setImmediate);
    };

    test('an input reads the level of its line', LIMIT, async () => {
      const input = await gpio.input(under.inputLine, 'both');
      await driven(input, 0);
      assert.equal(await input.read(), 0);
      await driven(input, 1);
      assert.equal(await input.read(), 1);
      input.close();
    });

    test('a watcher is told of every change that lasts, and its level', LIMIT, async () => {
      const input = await gpio.input(under.inputLine, 'both');
      await driven(input, 0);
      const watcher = collector();
      input.watch(watcher.listener);
      for (const level of [1, 0, 1] as const) {
        await under.drive(level);
        await watcher.until(() => watcher.told.at(-1) === level);
      }
      assert.deepEqual(watcher.changes().slice(-3), [1, 0, 1]);
      input.close();
    });

    for (const { edges, level } of [
      { edges: 'rising', level: 1 },
      { edges: 'falling', level: 0 },
    ] as const) {
      test(`a watcher of ${edges} edges is told of no others`, LIMIT, async () => {
        const input = await gpio.input(under.inputLine, edges);
        const other = level === 1 ? 0 : 1;
        await driven(input, other);
        const watcher = collector();
        input.watch(watcher.listener);
        for (let count = 1; count <= 3; count++) {
          await under.drive(level);
          await watcher.until(() => watcher.told.length >= count);
          await driven(input, other);
        }
        assert.deepEqual(watcher.told, [level, level, level]);
        input.close();
      });
    }

    test('a watcher that has ended is told nothing, another of the same line still is', LIMIT, async () => {
      const input = await gpio.input(under.inputLine, 'both');
      await driven(input, 0);
      const ended = collector();
      const other = collector();
      const end = input.watch(ended.listener);
      input.watch(other.listener);
      await under.drive(1);
      await ended.until(() => ended.told.at(-1) === 1);
      await other.until(() => other.told.at(-1) === 1);
      end();
      await under.drive(0);
      await other.until(() => other.told.at(-1) === 0);
      assert.equal(ended.told.at(-1), 1);
      input.close();
    });

    test('an output begins with its level and takes others', LIMIT, async () => {
      const output = await gpio.output(under.outputLine, 1);
      assert.equal(await under.outputLevel(), 1);
      await output.write(0);
      assert.equal(await under.outputLevel(), 0);
      await output.write(1);
      assert.equal(await under.outputLevel(), 1);
      output.close();
      const again = await gpio.output(under.outputLine, 0);
      assert.equal(await under.outputLevel(), 0);
      again.close();
    });

    test('a line beyond the last is refused', LIMIT, async () => {
      await assert.rejects(gpio.input(under.absentLine, 'both'), failsWith('gpio-failed'));
      await assert.rejects(gpio.output(under.absentLine, 0), failsWith('gpio-failed'));
    });

    test('a line has one user; closed, it is free again', LIMIT, async () => {
      const input = await gpio.input(under.inputLine, 'rising');
      await assert.rejects(gpio.input(under.inputLine, 'falling'), failsWith('gpio-failed'));
      await assert.rejects(gpio.output(under.inputLine, 0), failsWith('gpio-failed'));
      input.close();
      const again = await gpio.input(under.inputLine, 'falling');
      input.close(); // a second time: it is not its line any more
      await assert.rejects(gpio.input(under.inputLine, 'rising'), failsWith('gpio-failed'));
      again.close();
    });
  });
}
