/** What the service manager is told, and when it is not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createWatchdog } from '../../agent/ops/watchdog.ts';
import { silentLog } from '../../core/base/log.ts';
import { createServiceManager } from '../../core/base/service-manager.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';

const NEVER = new AbortController().signal;

describe('the service manager', () => {
  const managed = { NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_USEC: '30000000' };

  it('is told in its own words', async () => {
    const told: (readonly string[])[] = [];
    const manager = createServiceManager(managed, silentLog, async (args) => void told.push(args));
    await manager.ready('samples acc, gyr');
    await manager.alive('acc: unplugged');
    await manager.stopping();
    assert.deepEqual(told, [
      ['--ready', '--status=samples acc, gyr'],
      ['WATCHDOG=1', '--status=acc: unplugged'],
      ['STOPPING=1'],
    ]);
    assert.equal(manager.watchdogMs, 30_000);
  });

  it('that is not there is told nothing', async () => {
    const manager = createServiceManager({}, silentLog, () => assert.fail('started a program'));
    await manager.ready('');
    assert.equal(manager.watchdogMs, null);
  });

  it('that cannot be told stops nothing', async () => {
    const manager = createServiceManager(managed, silentLog, () => Promise.reject(new Error('no such program')));
    await manager.alive('');
  });
});

describe('the watchdog', () => {
  async function board(step: (second: number) => number) {
    const clock = createManualClock();
    const alive: number[] = [];
    const said: string[] = [];
    let progress = 0;
    const manager = {
      watchdogMs: 20_000,
      alive: async (status: string) => {
        alive.push(clock.nowMs() / 1000);
        said.push(status);
      },
    };
    const watchdog = createWatchdog(
      manager,
      () => progress,
      () => `at ${progress}`,
      clock,
      silentLog,
    );
    await watchdog.start(NEVER);
    for (let second = 0; second < 60; second++) {
      progress += step(second);
      await clock.advance(1000);
    }
    await watchdog.stop();
    return { alive, said };
  }

  it('says alive well within its period while sampling goes on, however slowly', async () => {
    const { alive, said } = await board((second) => (second % 5 === 0 ? 1 : 0));
    const pauses = alive.slice(1).map((at, i) => at - (alive[i] as number));
    assert.ok(alive.length >= 10 && Math.max(...pauses) <= 10, `${alive}`);
    assert.deepEqual([said[0], said.at(-1)], ['at 0', 'at 12'], 'the line for people follows');
  });

  it('falls silent when sampling stalls, and speaks again when it goes on', async () => {
    const { alive } = await board((second) => (second < 20 || second >= 50 ? 1 : 0));
    assert.ok(!alive.some((at) => at > 25 && at < 50), `${alive}`);
    assert.ok(alive.some((at) => at >= 50));
  });

  it('does nothing without a period', async () => {
    const watchdog = createWatchdog(
      { watchdogMs: null, alive: () => assert.fail('told') },
      () => 1,
      () => '',
      createManualClock(),
      silentLog,
    );
    await watchdog.start(NEVER);
    await watchdog.stop();
  });
});
