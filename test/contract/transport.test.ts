/** What every transport promises (core/link/transport.ts), over every implementation and broker. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { AppError } from '../../core/base/errors.ts';
import type { MemoryLinkOptions } from '../../core/link/memory.ts';
import type { Message, Transport } from '../../core/link/transport.ts';
import { BROKERS, type TestBroker } from './transport-brokers.ts';

const QOS1 = { qos: 1 } as const;
const LIMIT = { timeout: 20_000 };
const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (message: Message) => new TextDecoder().decode(message.payload);

/** Keeps what comes and lets a test wait for it. */
function collector<T>() {
  const items: T[] = [];
  let look: () => void = () => undefined;
  return {
    items,
    push(item: T) {
      items.push(item);
      look();
    },
    async until(isEnough: (items: readonly T[]) => boolean): Promise<void> {
      while (!isEnough(items)) await new Promise<void>((resolve) => (look = resolve));
    },
  };
}

for (const kind of BROKERS) {
  describe(`transport contract: ${kind.name}`, { skip: kind.missing ?? false }, () => {
    let broker: TestBroker;
    const open: Transport[] = [];
    let topicCount = 0;
    const freshTopic = () => `t/${++topicCount}`;
    const start = async (options: Partial<MemoryLinkOptions> & { clientId: string }) => {
      const transport = await broker.transport({ clean: false, ...options });
      open.push(transport);
      return transport;
    };
    const started = async (options: Partial<MemoryLinkOptions> & { clientId: string }) => {
      const transport = await start(options);
      await transport.start(new AbortController().signal);
      return transport;
    };

    before(async () => {
      broker = await kind.open();
    });
    after(async () => {
      await Promise.all(open.map((transport) => transport.stop()));
      await broker.close();
    });

    test('a message reaches the handlers whose filters match, in order', LIMIT, async () => {
      const topic = freshTopic();
      const publisher = await started({ clientId: 'order-pub' });
      const subscriber = await started({ clientId: 'order-sub' });
      const got = collector<string>();
      await subscriber.subscribe(`${topic}/+/x`, (message) => got.push(`${message.topic} ${textOf(message)}`));
      await publisher.publish(`${topic}/other`, bytes('no'), QOS1);
      for (const text of ['1', '2', '3']) await publisher.publish(`${topic}/a/x`, bytes(text), QOS1);
      await got.until((items) => items.length === 3);
      assert.deepEqual(got.items, [`${topic}/a/x 1`, `${topic}/a/x 2`, `${topic}/a/x 3`]);
    });

    test('a retained message waits for later subscribers and says that it is retained', LIMIT, async () => {
      const topic = freshTopic();
      const publisher = await started({ clientId: 'retain-pub' });
      await publisher.publish(topic, bytes('old'), { qos: 1, retain: true });
      await publisher.publish(topic, bytes('new'), { qos: 1, retain: true });
      const subscriber = await started({ clientId: 'retain-sub' });
      const got = collector<Message>();
      await subscriber.subscribe(topic, got.push);
      await got.until((items) => items.length === 1);
      assert.deepEqual(
        got.items.map((message) => [textOf(message), message.retained]),
        [['new', true]],
      );
      await publisher.publish(topic, bytes('live'), { qos: 1, retain: true });
      await got.until((items) => items.length === 2);
      assert.equal(got.items[1]?.retained, false);
    });

    test('one handler runs at a time', LIMIT, async () => {
      const topic = freshTopic();
      const publisher = await started({ clientId: 'serial-pub' });
      const subscriber = await started({ clientId: 'serial-sub' });
      const done = collector<string>();
      let running = 0;
      await subscriber.subscribe(`${topic}/#`, async (message) => {
        assert.equal(++running, 1);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        done.push(textOf(message));
      });
      await Promise.all(Array.from({ length: 10 }, (_, i) => publisher.publish(`${topic}/${i}`, bytes(`${i}`), QOS1)));
      await done.until((items) => items.length === 10);
    });

    test('a connection lost before the handler resolves: the message comes again', LIMIT, async () => {
      const topic = freshTopic();
      const publisher = await started({ clientId: 'again-pub' });
      const subscriber = await started({ clientId: 'again-sub' });
      const states = collector<boolean>();
      subscriber.onState(states.push);
      const got = collector<string>();
      let release: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      await subscriber.subscribe(topic, async (message) => {
        got.push(textOf(message));
        await held;
      });
      await publisher.publish(topic, bytes('once'), QOS1);
      await got.until((items) => items.length === 1);
      await subscriber.publish(freshTopic(), bytes('flush'), QOS1); // the broker has read whatever the subscriber wrote before
      broker.cut('again-sub');
      await states.until((items) => items.includes(false));
      release();
      await got.until((items) => items.length === 2);
      assert.deepEqual(got.items, ['once', 'once']);
    });

    test(
      'a handler that fails: the message is kept by the broker and comes again at the next connection',
      LIMIT,
      async () => {
        const topic = freshTopic();
        const publisher = await started({ clientId: 'fail-pub' });
        const subscriber = await started({ clientId: 'fail-sub' });
        const got = collector<string>();
        await subscriber.subscribe(topic, (message) => {
          got.push(textOf(message));
          if (got.items.length === 1) throw new Error('disk full');
        });
        await publisher.publish(topic, bytes('a'), QOS1);
        await publisher.publish(topic, bytes('b'), QOS1);
        await got.until((items) => items.length === 2);
        await subscriber.publish(freshTopic(), bytes('flush'), QOS1);
        broker.cut('fail-sub');
        await got.until((items) => items.length >= 3);
        assert.equal(got.items[2], 'a');
      },
    );

    test('an acknowledged message does not come again', LIMIT, async () => {
      const topic = freshTopic();
      const publisher = await started({ clientId: 'acked-pub' });
      const subscriber = await started({ clientId: 'acked-sub' });
      const states = collector<boolean>();
      subscriber.onState(states.push);
      const got = collector<string>();
      await subscriber.subscribe(topic, (message) => got.push(textOf(message)));
      await publisher.publish(topic, bytes('first'), QOS1);
      await got.until((items) => items.length === 1);
      await publisher.publish(topic, bytes('second'), QOS1);
      await got.until((items) => items.length === 2); // the broker has read the first acknowledgement by now or reads it before the cut
      await subscriber.publish(freshTopic(), bytes('flush'), QOS1); // answered after the acknowledgements before it were read
      broker.cut('acked-sub');
      await states.until((items) => items.filter((up) => up).length === 1 && items.includes(false));
      await publisher.publish(topic, bytes('third'), QOS1);
      await got.until((items) => items.includes('third'));
      assert.deepEqual(got.items, ['first', 'second', 'third']);
    });

    test('a handler may publish and wait for the acknowledgement', LIMIT, async () => {
      const topic = freshTopic();
      const client = await started({ clientId: 'reply' });
      const got = collector<string>();
      await client.subscribe(`${topic}/ask`, (message) => client.publish(`${topic}/answer`, message.payload, QOS1));
      await client.subscribe(`${topic}/answer`, (message) => got.push(textOf(message)));
      await client.publish(`${topic}/ask`, bytes('hello'), QOS1);
      await got.until((items) => items.length === 1);
    });

    test('the broker keeps what comes for a session that is away', LIMIT, async () => {
      const topic = freshTopic();
      const publisher = await started({ clientId: 'away-pub' });
      const first = await started({ clientId: 'away-sub' });
      await first.subscribe(topic, () => undefined);
      await first.stop();
      await publisher.publish(topic, bytes('kept'), QOS1);
      const second = await start({ clientId: 'away-sub' });
      const got = collector<string>();
      await second.subscribe(topic, (message) => got.push(textOf(message)));
      await second.start(new AbortController().signal);
      await got.until((items) => items.length === 1);
      assert.deepEqual(got.items, ['kept']);
    });

    test(
      'broker away: publish rejects and nothing of it is sent later; the subscription survives the restart',
      LIMIT,
      async () => {
        const topic = freshTopic();
        const client = await started({ clientId: 'restart', clean: true });
        const got = collector<string>();
        const states = collector<boolean>();
        await client.subscribe(topic, (message) => got.push(textOf(message)));
        client.onState(states.push);
        await broker.down();
        await states.until((items) => items.at(-1) === false);
        await assert.rejects(client.publish(topic, bytes('lost'), QOS1), isLinkError);
        await broker.up();
        await states.until((items) => items.at(-1) === true);
        await client.publish(topic, bytes('after'), QOS1);
        await got.until((items) => items.length === 1);
        assert.deepEqual(got.items, ['after']);
        assert.deepEqual(states.items, [false, true]);
      },
    );

    test('a publish under way when the connection breaks rejects or was taken', LIMIT, async () => {
      const topic = freshTopic();
      const client = await started({ clientId: 'underway' });
      const outcome = client.publish(topic, new Uint8Array(500_000), QOS1).then(
        () => 'taken',
        (error: unknown) => (isLinkError(error) ? 'rejected' : error),
      );
      broker.cut('underway');
      assert.ok(['taken', 'rejected'].includes(String(await outcome)));
    });

    test('the will is published when a client vanishes, not when it stops', LIMIT, async () => {
      const topic = freshTopic();
      const watcher = await started({ clientId: 'will-watch' });
      const got = collector<string>();
      await watcher.subscribe(`${topic}/+`, (message) => got.push(`${message.topic} ${textOf(message)}`));
      const will = (name: string) =>
        ({ topic: `${topic}/${name}`, payload: bytes('gone'), qos: 1, retain: true }) as const;
      const polite = await started({ clientId: 'will-polite', will: will('polite') });
      await started({ clientId: 'will-lost', will: will('lost') });
      await polite.stop();
      broker.cut('will-lost');
      await got.until((items) => items.length === 1);
      assert.deepEqual(got.items, [`${topic}/lost gone`]);
    });

    test('traffic counts what is sent and received, over reconnects', LIMIT, async () => {
      const topic = freshTopic();
      const client = await started({ clientId: 'traffic' });
      const got = collector<string>();
      const states = collector<boolean>();
      client.onState(states.push);
      await client.subscribe(topic, (message) => got.push(textOf(message)));
      await client.publish(topic, bytes('x'.repeat(1000)), QOS1);
      await got.until((items) => items.length === 1);
      const before = client.traffic();
      assert.ok(before.sentBytes >= 1000 && before.receivedBytes >= 1000);
      assert.ok(before.sentBytes < 1200 && before.receivedBytes < 1200, JSON.stringify(before));
      broker.cut('traffic');
      await states.until((items) => items.at(-1) === true);
      assert.ok(client.traffic().sentBytes >= before.sentBytes);
    });

    test(
      'reconnect: the connection is replaced, the subscription comes along; without a connection nothing happens',
      LIMIT,
      async () => {
        const topic = freshTopic();
        const client = await start({ clientId: 'replace' });
        client.reconnect('there is none yet');
        const states = collector<boolean>();
        client.onState(states.push);
        const got = collector<string>();
        await client.start(new AbortController().signal);
        await client.subscribe(topic, (message) => got.push(textOf(message)));
        client.reconnect('nobody answers');
        await states.until((items) => items.join() === 'true,false,true' || items.join() === 'false,true');
        await client.publish(topic, bytes('again'), QOS1);
        await got.until((items) => items.length === 1);
      },
    );

    test('stop may be called twice, and before a start', LIMIT, async () => {
      const client = await started({ clientId: 'stop' });
      await client.stop();
      await client.stop();
      await (await start({ clientId: 'never' })).stop();
      await assert.rejects(client.publish('t', bytes(''), QOS1), isLinkError);
    });
  });
}

function isLinkError(error: unknown): boolean {
  return error instanceof AppError && error.code === 'link-unavailable';
}
