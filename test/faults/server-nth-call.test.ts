/**
 * The n-th call of the store fails and the aggregator dies of it, for every n: a new process on the same file comes to the same bits,
 * and no board is counted twice.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { AppError } from '../../core/base/errors.ts';
import type { RoundStore } from '../../server/store/round-store.ts';
import { bitsOf, createFleet, type Fleet } from '../fixtures/scripted-fleet.ts';

const CONFIG = { minBoards: 2, maxRounds: 2 };

interface Fault {
  readonly wrap: (store: RoundStore) => RoundStore;
  /** Resolves when the call has failed. */
  readonly fired: Promise<'fired'>;
}

/** Fails call number `n` of the store and every later one, as a process sees whose disk has gone; the next process has it back. */
function failFrom(n: number, isBefore: boolean): Fault {
  let calls = 0;
  let processes = 0;
  let fire: (value: 'fired') => void;
  const fired = new Promise<'fired'>((resolve) => {
    fire = resolve;
  });
  const failing = (store: RoundStore): RoundStore =>
    new Proxy(store, {
      get(target, name: keyof RoundStore) {
        const call = target[name] as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          if (calls++ < n) return call(...args);
          if (!isBefore && calls === n + 1) call(...args); // it was done, but nobody got to know
          fire('fired');
          throw new AppError('storage-failed', `call ${n}: ${name}`);
        };
      },
    });
  return { wrap: (store) => (processes++ === 0 ? failing(store) : store), fired };
}

async function startBoards(fleet: Fleet) {
  const boards = ['a', 'b'].map((device) => fleet.board(device));
  for (const board of boards) await board.start();
  return boards;
}

async function referenceBits(t: TestContext): Promise<string> {
  const fleet = createFleet(t, { config: CONFIG });
  await fleet.startAggregator();
  await startBoards(fleet);
  await fleet.aggregator().finished;
  return bitsOf(fleet.aggregator().currentGlobal());
}

for (const isBefore of [true, false]) {
  test(`every call of the store fails once, ${isBefore ? 'before' : 'after'} it was done`, {
    timeout: 120_000,
  }, async (t) => {
    const reference = await referenceBits(t);
    let points = 0;
    for (let n = 0; ; n++) {
      const fault = failFrom(n, isBefore);
      const fleet = createFleet(t, { config: CONFIG, wrapStore: fault.wrap });
      const ended = fleet
        .startAggregator()
        .then(() => fleet.aggregator().finished)
        .catch(String);
      await startBoards(fleet);
      if ((await Promise.race([fault.fired, ended])) !== 'fired') break;
      points++;
      await fleet.restartAggregator();
      const outcome = await fleet.aggregator().finished;
      assert.deepEqual(outcome, { version: 2, rounds: 3, complete: true }, `call ${n}`);
      assert.equal(bitsOf(fleet.aggregator().currentGlobal()), reference, `call ${n}`);
      for (const round of [0, 1, 2]) {
        const devices = fleet
          .store()
          .counted(round)
          .map(({ device }) => device);
        assert.deepEqual(devices, ['a', 'b'], `call ${n}, round ${round}`);
      }
    }
    assert.ok(points > 20, `${points} points of failure`);
  });
}
