/** Who gets into the embedded broker and what they may do there: passwords, certificates, and the access rules on real sockets. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import type { MqttClient } from 'mqtt';
import { AppError } from '../../core/base/errors.ts';
import type { TlsFiles } from '../../server/source/listener-tls.ts';
import { createTestAuthority } from '../fixtures/certificates.ts';
import {
  connectTo,
  FLEET,
  listen,
  login,
  own,
  recordingLog,
  startBroker,
  temporaryFolder,
  writePasswords,
} from '../fixtures/embedded-broker.ts';

const LIMIT = { timeout: 20_000 };
const QOS1 = { qos: 1 } as const;
const USERS = ['ann', 'ben', 'operator', 'aggregator'];
const refusedWith = (code: number) => (error: unknown) => (error as { code?: number }).code === code;

function closed(client: MqttClient): Promise<void> {
  return new Promise((resolve) => client.once('close', resolve));
}

/** Its connection ended within the test's time. */
async function ends(client: MqttClient): Promise<void> {
  if (client.connected) await closed(client);
}

test('a right name and password come in, nothing else does', LIMIT, async (t) => {
  const broker = await startBroker(t, { users: USERS });
  const url = broker.url();
  const ann = await connectTo(t, url, login('ann'));
  await connectTo(t, url, login('operator', { clientId: 'operator/laptop' }));
  await assert.rejects(connectTo(t, url, login('ben', { password: 'ann!' })), refusedWith(4));
  await assert.rejects(connectTo(t, url, login('eve')), refusedWith(4));
  await assert.rejects(connectTo(t, url, { clientId: 'ben' }), refusedWith(4));
  await assert.rejects(connectTo(t, url, login('ben', { clientId: 'ann' })), refusedWith(2)); // would end ann's connection
  await assert.rejects(connectTo(t, url, login('ben', { clientId: 'ben/2' })), refusedWith(2));
  await assert.rejects(connectTo(t, url, login('aggregator')), refusedWith(5)); // whatever the file says
  await assert.rejects(connectTo(t, url, own(broker)), refusedWith(4));
  assert.ok(ann.connected);
  assert.equal(broker.counts().refusedLogins, 7);
});

test(
  'the aggregator comes in by its own door, with the secret of this start, and nobody else by it',
  LIMIT,
  async (t) => {
    const broker = await startBroker(t, { users: USERS });
    const { url, password } = broker.ownAccess();
    assert.match(url, /^mqtt:\/\/127\.0\.0\.1:\d+$/);
    await connectTo(t, url, own(broker));
    for (const wrong of [login('ann'), { ...own(broker), password: 'x'.repeat(password.length) }, { clientId: 'a' }]) {
      await assert.rejects(connectTo(t, url, wrong), refusedWith(4));
    }
    const second = await startBroker(t, { users: USERS });
    await assert.rejects(connectTo(t, second.ownAccess().url, own(broker)), refusedWith(4));
  },
);

test('what a user may not publish is acknowledged, dropped and counted; what it may arrives', LIMIT, async (t) => {
  const log = recordingLog();
  const broker = await startBroker(t, { users: USERS, log });
  const [ann, ben, operator] = [
    await connectTo(t, broker.url(), login('ann')),
    await connectTo(t, broker.url(), login('ben')),
    await connectTo(t, broker.url(), login('operator')),
  ];
  const aggregator = await connectTo(t, broker.ownAccess().url, own(broker));
  const heard = { aggregator: listen(aggregator), ann: listen(ann), operator: listen(operator) };
  await aggregator.subscribeAsync([FLEET.upFilter, FLEET.statusFilter], QOS1);
  await ann.subscribeAsync([FLEET.receipt('ann'), FLEET.label('ann'), FLEET.globalModel, FLEET.roundCurrent], QOS1);
  await operator.subscribeAsync([FLEET.statusFilter, FLEET.globalModel], QOS1);

  const denied: [MqttClient, string][] = [
    [ben, FLEET.up('ann')],
    [ben, FLEET.status('ann')],
    [ben, FLEET.receipt('ann')],
    [ben, FLEET.label('ann')],
    [ben, FLEET.globalModel],
    [ben, FLEET.roundCurrent],
    [ben, 'qqr/v1/other/up/ben'],
    [ben, 'anything'],
    [ben, '$SYS/x'],
    [operator, FLEET.up('ann')],
    [operator, FLEET.globalModel],
    [aggregator, FLEET.up('ann')],
    [aggregator, FLEET.label('ann')],
  ];
  for (const [client, topic] of denied) {
    await client.publishAsync(topic, 'evil', { qos: 1, retain: true });
    await client.publishAsync(topic, 'evil', { qos: 0 });
  }
  await ben.publishAsync(FLEET.up('ben'), 'update', QOS1);
  await ben.publishAsync(FLEET.status('ben'), 'online', { qos: 1, retain: true });
  await operator.publishAsync(FLEET.label('ann'), 'walk', QOS1);
  await aggregator.publishAsync(FLEET.receipt('ann'), 'counted', QOS1);
  await aggregator.publishAsync(FLEET.globalModel, 'model', { qos: 1, retain: true });
  await Promise.all([heard.aggregator.count(2), heard.ann.count(3), heard.operator.count(2)]);
  assert.deepEqual(heard.aggregator.messages, [`${FLEET.up('ben')} update`, `${FLEET.status('ben')} online`]);
  assert.deepEqual(heard.ann.messages, [
    `${FLEET.label('ann')} walk`,
    `${FLEET.receipt('ann')} counted`,
    `${FLEET.globalModel} model`,
  ]);
  assert.deepEqual(heard.operator.messages, [`${FLEET.status('ben')} online`, `${FLEET.globalModel} model`]);
  assert.equal(broker.counts().deniedPublishes, 2 * denied.length);
  assert.equal(log.lines.filter((line) => line.startsWith('message dropped')).length, 3); // once a connection
});

test(
  'a subscription that could bring what is not for the board is refused, a session does not keep it',
  LIMIT,
  async (t) => {
    const broker = await startBroker(t, { users: USERS });
    const aggregator = await connectTo(t, broker.ownAccess().url, own(broker));
    const ann = await connectTo(t, broker.url(), login('ann'));
    const foreign = ['#', '+', 'qqr/#', FLEET.upFilter, FLEET.up('ann'), FLEET.receipt('ann'), FLEET.label('ann')];
    foreign.push('qqr/v1/garden/+/ann', 'qqr/v1/garden/receipt/+', 'qqr/v1/+/receipt/ben', '$SYS/#', '$share/g/#');
    const options = login('ben', { clean: false });
    const ben = await connectTo(t, broker.url(), options);
    const heard = listen(ben);
    const subscribe = [...foreign, FLEET.receipt('ben')];
    const granted = await ben
      .subscribeAsync(Object.fromEntries(subscribe.map((topic) => [topic, QOS1])))
      .catch(() => null);
    assert.equal(granted, null); // mqtt.js rejects when one of them is refused
    assert.equal(broker.counts().deniedSubscriptions, foreign.length);
    await ben.endAsync(true);
    await ann.publishAsync(FLEET.up('ann'), 'update of ann', QOS1);
    await aggregator.publishAsync(FLEET.receipt('ann'), 'for ann', QOS1);
    await aggregator.publishAsync(FLEET.receipt('ben'), 'for ben, away', QOS1);
    assert.equal(broker.counts().messages, 1);
    const again = await connectTo(t, broker.url(), { ...options, manualConnect: false });
    const heardAgain = listen(again);
    await aggregator.publishAsync(FLEET.receipt('ann'), 'for ann', QOS1);
    await aggregator.publishAsync(FLEET.receipt('ben'), 'for ben', QOS1);
    await heardAgain.count(2);
    assert.deepEqual(heardAgain.messages, [`${FLEET.receipt('ben')} for ben, away`, `${FLEET.receipt('ben')} for ben`]);
    assert.deepEqual(heard.messages, []);
  },
);

test('a will is held to the same rules', LIMIT, async (t) => {
  const broker = await startBroker(t, { users: USERS });
  const aggregator = await connectTo(t, broker.ownAccess().url, own(broker));
  const heard = listen(aggregator);
  await aggregator.subscribeAsync(FLEET.statusFilter, QOS1);
  const will = (topic: string) => ({ topic, payload: Buffer.from('gone'), qos: 1, retain: true }) as const;
  const evil = await connectTo(t, broker.url(), login('ben', { will: will(FLEET.status('ann')) }));
  evil.stream.destroy();
  await closed(evil);
  const good = await connectTo(t, broker.url(), login('ann', { will: will(FLEET.status('ann')) }));
  good.stream.destroy();
  await heard.count(1);
  assert.deepEqual(heard.messages, [`${FLEET.status('ann')} gone`]);
  assert.equal(broker.counts().deniedPublishes, 1);
});

test('whoever guesses is answered later each time; a right password from the same address is not', LIMIT, async (t) => {
  const broker = await startBroker(t, { users: USERS });
  const took = async (attempt: () => Promise<unknown>) => {
    const start = performance.now();
    await attempt();
    return performance.now() - start;
  };
  const guess = () => assert.rejects(connectTo(t, broker.url(), login('ben', { password: 'guess' })));
  const times = [await took(guess), await took(guess), await took(guess)] as const;
  assert.ok(times[0] >= 245 && times[1] >= 495 && times[2] >= 995, `${times}`);
  const guesses = Array.from({ length: 7 }, guess);
  assert.ok((await took(() => connectTo(t, broker.url(), login('ben')))) < 900);
  const blocked = [guess(), guess(), guess()]; // at most eight wait at a time, the others are not even asked
  await Promise.race(blocked);
  await broker.stop();
  await Promise.allSettled([...guesses, ...blocked]);
});

test(
  'a password file that is read again: who is gone is sent away, a broken file changes nothing',
  LIMIT,
  async (t) => {
    const log = recordingLog();
    const broker = await startBroker(t, { users: USERS, log });
    const ann = await connectTo(t, broker.url(), login('ann'));
    const aggregator = await connectTo(t, broker.ownAccess().url, own(broker));
    writeFileSync(broker.passwordFile, 'not a password file\n');
    await assert.rejects(
      broker.reload(),
      (error: unknown) => error instanceof AppError && error.code === 'config-invalid',
    );
    rmSync(broker.passwordFile);
    await assert.rejects(broker.reload());
    const ben = await connectTo(t, broker.url(), login('ben'));
    assert.ok(ann.connected);
    writePasswords(broker.passwordFile, ['carl', 'ben']); // ben's has another salt: as good as another password
    await broker.reload();
    await Promise.all([ends(ann), ends(ben)]);
    await assert.rejects(connectTo(t, broker.url(), login('ann')), refusedWith(4));
    await connectTo(t, broker.url(), login('ben'));
    await connectTo(t, broker.url(), login('carl'));
    assert.ok(aggregator.connected);
  },
);

test('with certificates the common name is the user, and only those of the CA come in', LIMIT, async (t) => {
  const folder = temporaryFolder(t);
  const authority = await createTestAuthority(folder);
  const foreign = await createTestAuthority(folder, 'Other CA', 'other');
  const server = await authority.issue({ name: 'server' });
  const [ann, ben] = [await authority.issue({ name: 'ann' }), await authority.issue({ name: 'ben' })];
  const crl = await authority.revoke();
  const tls: TlsFiles = { cert: server.cert, key: server.key, ca: authority.ca, crl };
  const broker = await startBroker(t, { access: { topics: FLEET, passwordFile: null, tls } });
  assert.match(broker.url(), /^mqtts:/);
  const as = (issued: { certPem: string; keyPem: string }, clientId: string) =>
    connectTo(t, broker.url(), { ca: authority.caPem, cert: issued.certPem, key: issued.keyPem, clientId });

  const aggregator = await connectTo(t, broker.ownAccess().url, own(broker));
  const heard = listen(aggregator);
  await aggregator.subscribeAsync(FLEET.upFilter, QOS1);
  const connected = await as(ann, 'ann');
  await connected.publishAsync(FLEET.up('ben'), 'spoofed', QOS1);
  await connected.publishAsync(FLEET.up('ann'), 'mine', QOS1);
  await heard.count(1);
  assert.deepEqual(heard.messages, [`${FLEET.up('ann')} mine`]);
  const bens = await as(ben, 'ben');

  await assert.rejects(as(ben, 'ann'), refusedWith(2));
  await assert.rejects(as(await authority.issue({ name: 'aggregator' }), 'aggregator'), refusedWith(5));
  await assert.rejects(as(await authority.issue({ name: 'a/b', file: 'slash' }), 'a/b'), refusedWith(5));
  const failing = [
    async () => connectTo(t, broker.url(), { ca: authority.caPem, clientId: 'ann' }),
    async () => as(await foreign.issue({ name: 'ann', file: 'foreign-ann' }), 'ann'),
    async () => as(await authority.issue({ name: 'old', fromDays: -9, untilDays: -1 }), 'old'),
    async () => as(await authority.issue({ name: 'future', fromDays: 1, untilDays: 9 }), 'future'),
    async () => connectTo(t, broker.url().replace('mqtts', 'mqtt'), { clientId: 'ann', connectTimeout: 3000 }),
  ];
  for (const attempt of failing) await assert.rejects(attempt());
  const { port } = new URL(broker.url());
  const ancient = connectTls({
    port: Number(port),
    maxVersion: 'TLSv1.1',
    minVersion: 'TLSv1',
    rejectUnauthorized: false,
  });
  await assert.rejects(once(ancient, 'secureConnect'));
  assert.ok(broker.counts().failedHandshakes >= 5, `${broker.counts().failedHandshakes}`);

  await authority.revoke(ben);
  await broker.reload();
  await Promise.all([ends(connected), ends(bens)]);
  await assert.rejects(as(ben, 'ben'));
  await as(ann, 'ann');
  writeFileSync(crl, readFileSync(server.key));
  await assert.rejects(broker.reload(), (error: unknown) => error instanceof AppError);
  await connectTo(t, broker.url(), { ca: authority.caPem, cert: ann.certPem, key: ann.keyPem, clientId: 'ann' });
});

test('without credentials everything is allowed on loopback, but to be the aggregator', LIMIT, async (t) => {
  const broker = await startBroker(t);
  const anybody = await connectTo(t, broker.url(), { clientId: 'anybody' });
  const heard = listen(anybody);
  await anybody.subscribeAsync('#', QOS1);
  await anybody.publishAsync(FLEET.up('ann'), 'x', QOS1);
  await heard.count(1);
  await assert.rejects(connectTo(t, broker.url(), { clientId: broker.ownAccess().clientId }), refusedWith(2));
});
