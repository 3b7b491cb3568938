/**
 * What keeping messages costs the embedded broker: messages a second and CPU per message (clients and broker together, one process),
 * in memory and with its journal, in turns, medians of five. 100 clients, 1 KiB, QoS 1, into one subscriber that is (a) as the
 * aggregator: its session ends with the connection, nothing is kept for it; (b) a persistent session: every message is kept until it is
 * acknowledged; and (c) one that is away: every message is kept.
 *
 *   node dist/scripts/bench/broker-cost.js [messages of a run, =5000] [runs, =5] [clients, =100]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { silentLog } from '../../core/base/log.ts';
import { median } from '../../core/math/stats.ts';
import { createEmbeddedBroker } from '../../server/source/embedded.ts';

const [messages = 5000, runs = 5, clients = 100] = process.argv.slice(2).map(Number);
const SUBSCRIBERS = ['clean', 'persistent', 'away'] as const;
const STORES = ['memory', 'journal'] as const;
const payload = Buffer.alloc(1024, 'x');

interface Cost {
  readonly perSecond: number;
  readonly cpuUs: number;
}

const costs = new Map<string, Cost[]>();
for (let run = 0; run < runs; run++) {
  for (const subscriber of SUBSCRIBERS) {
    for (const store of STORES) {
      const key = `${subscriber.padEnd(12)}${store}`;
      costs.set(key, [...(costs.get(key) ?? []), await measure(store, subscriber)]);
    }
  }
}
console.log('subscriber  store        messages/s   CPU us/message');
for (const [key, all] of costs) {
  const perSecond = median(all.map((cost) => cost.perSecond));
  const cpuUs = median(all.map((cost) => cost.cpuUs));
  console.log(`${key.padEnd(22)}${perSecond.toFixed(0).padStart(13)}${cpuUs.toFixed(0).padStart(17)}`);
}

async function measure(store: (typeof STORES)[number], subscriber: (typeof SUBSCRIBERS)[number]): Promise<Cost> {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-broker-cost-'));
  const broker = createEmbeddedBroker({
    host: '127.0.0.1',
    port: 0,
    maxPacketBytes: 2 ** 20,
    ...(store === 'journal' && { sessionDir: join(folder, 'broker') }),
    limits: { packetsPerSecond: 1e6, sessionMessages: 1e6 },
    log: silentLog,
  });
  await broker.start(new AbortController().signal);
  const connect = async (clientId: string, clean: boolean): Promise<MqttClient> => {
    const client = await connectAsync(broker.url(), { clientId, clean, reconnectPeriod: 0 });
    (client.stream as unknown as Socket).setNoDelay(true);
    return client;
  };
  const listener = await connect('listener', subscriber === 'clean');
  await listener.subscribeAsync('up/+', { qos: 1 });
  const arrived = countOf(listener, subscriber === 'away' ? 0 : messages);
  if (subscriber === 'away') await listener.endAsync();
  const publishers = await Promise.all(Array.from({ length: clients }, (_, i) => connect(`board-${i}`, true)));

  const cpu = process.cpuUsage();
  const start = performance.now();
  await Promise.all(publishers.map((client, i) => publishAll(client, `up/${i}`, Math.ceil(messages / clients))));
  await arrived;
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  for (const client of [...publishers, listener]) client.end(true);
  await broker.stop();
  rmSync(folder, { recursive: true });
  return { perSecond: messages / seconds, cpuUs: (user + system) / messages };
}

/** One after the other, as a board does. */
async function publishAll(client: MqttClient, topic: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await client.publishAsync(topic, payload, { qos: 1 });
}

function countOf(client: MqttClient, wanted: number): Promise<void> {
  let count = 0;
  return new Promise((resolve) => {
    if (wanted === 0) resolve();
    client.on('message', () => {
      if (++count === wanted) resolve();
    });
  });
}
