/** A board that is stopped says so: its retained status must not stay `online`, or the aggregator waits for it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAgentConfig } from '../../agent/config.ts';
import { type RunningAgent, startAgent } from '../../agent/main.ts';
import { createReplaySensor } from '../../agent/sensors/replay.ts';
import { type Clock, systemClock } from '../../core/base/clock.ts';
import { silentLog } from '../../core/base/log.ts';
import { createMqttTransport } from '../../core/link/mqtt.ts';
import { createNetworkCache } from '../../core/model/network-cache.ts';
import { eventsOf } from '../../core/trace/recording-events.ts';
import { decodeStatus } from '../../core/wire/decode-downlink.ts';
import { topics } from '../../core/wire/topics.ts';
import { createEmbeddedBroker } from '../../server/source/embedded.ts';
import { smallPlan } from '../fixtures/small-fleet.ts';

/** Plays a recording at the speed at which it was recorded. */
async function startBoard(url: string, stateDir: string, clock: Clock): Promise<RunningAgent> {
  const recording = smallPlan().boards[0]?.recording();
  assert.ok(recording !== undefined);
  return startAgent({
    config: parseAgentConfig({ device: 'pi-1', fleet: 'replay', stateDir, link: { url } }, 'test'),
    source: {
      kind: 'recording',
      sensor: createReplaySensor({ header: recording, events: () => eventsOf(recording) }, 1, systemClock),
    },
    learner: { kind: 'inside', networkFor: createNetworkCache() },
    flushSeconds: 1,
    startup: 'require',
    clock,
    log: silentLog,
  });
}

test('a board that is stopped while its recording plays at recorded speed announces that it is offline', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'qqr-stop-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const running = new AbortController();
  const broker = createEmbeddedBroker({ host: '127.0.0.1', port: 0, maxPacketBytes: 2 ** 20, log: silentLog });
  await broker.start(running.signal);
  t.after(() => broker.stop());
  const url = broker.url();
  const observer = createMqttTransport({
    url,
    clientId: 'observer',
    clean: true,
    startup: 'require',
    clock: systemClock,
    random: Math.random,
  });
  await observer.start(running.signal);
  t.after(() => observer.stop());
  const states: string[] = [];
  let heard = () => undefined as void;
  await observer.subscribe(topics('replay').status('pi-1'), ({ payload }) => {
    const status = decodeStatus(payload, 'pi-1');
    if (status.ok) states.push(status.value.state);
    heard();
  });
  const until = async (state: string) => {
    while (states.at(-1) !== state) {
      await new Promise<void>((resolve) => {
        heard = resolve;
      });
    }
  };

  const agent = await startBoard(url, folder, systemClock);
  await until('online');
  await agent.stop();
  await until('offline');
  assert.deepEqual(states, ['online', 'offline']);
});

test('a board whose broker has fallen silent is stopped before its service manager would kill it', {
  timeout: 30_000,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'qqr-stop-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const broker = createEmbeddedBroker({ host: '127.0.0.1', port: 0, maxPacketBytes: 2 ** 20, log: silentLog });
  await broker.start(new AbortController().signal);
  t.after(() => broker.stop());
  const { hostname, port } = new URL(broker.url());
  let isSilent = false;
  const between = createServer((board) => {
    const onwards = connect(Number(port), hostname);
    for (const [from, to] of [
      [board, onwards],
      [onwards, board],
    ] as const) {
      from.on('error', () => undefined).on('close', () => to.destroy());
      from.on('data', (bytes) => void (isSilent || to.write(bytes)));
    }
  });
  between.listen(0, '127.0.0.1');
  await once(between, 'listening');
  t.after(() => between.close());
  const url = `mqtt://127.0.0.1:${(between.address() as AddressInfo).port}`;
  const agent = await startBoard(url, folder, TEN_TIMES_FASTER);
  isSilent = true;
  const sinceMs = performance.now();
  await agent.stop();
  const tookMs = TEN * (performance.now() - sinceMs);
  assert.ok(tookMs < 15_000, `${tookMs} ms`); // TimeoutStopSec is 20 s
});

const TEN = 10;
/** For whoever only sleeps. */
const TEN_TIMES_FASTER: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / TEN, signal) };
