/**
 * Each line of broker-config/mosquitto/access.acl against the real broker with production.conf: one thing that it allows, one next to it that
 * is refused, and the same things with the line taken out or made wider. A refused publish is acknowledged all the same (MQTT 3.1.1
 * has no other answer), so what counts is whether it arrives; and nothing is waited for in vain, since a message of the reader's
 * own, sent afterwards, comes after it.
 */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { discoveryTopic } from '../../agent/ops/home-assistant.ts';
import { topics } from '../../core/wire/topics.ts';
import { removePassword, setPassword } from '../../server/provision/password-file.ts';
import {
  type Certificates,
  connectClient,
  createCertificates,
  PROBE_RULES,
  type TestClient,
} from '../fixtures/certified-client.ts';
import { accessRules, MOSQUITTO_MISSING, type Mosquitto, startMosquitto } from '../fixtures/mosquitto.ts';

const OPTIONS = { skip: MOSQUITTO_MISSING, timeout: 60_000 };
const FLEET = 'qqr/v1/default';
const OTHER_FLEET = 'qqr/v1/other';
const HOME_DEVICE = discoveryTopic({
  prefix: 'homeassistant',
  fleet: 'default',
  device: 'pi-1',
  modalities: [],
  stateTopic: '',
  stateEveryMs: 1,
});
/** The project's rules, with those for Home Assistant switched on. */
const RULES = accessRules().replaceAll(/^#(?=(?:user|topic|pattern) )/gm, '');

interface Access {
  readonly user: string;
  readonly does: 'write' | 'read';
  readonly topic: string;
}

const access = (user: string, does: Access['does'], topic: string): Access => ({
  user,
  does,
  topic: /^(?:qqr|homeassistant)\//.test(topic) ? topic : `${FLEET}/${topic}`,
});

/** In the order of the file's lines. */
const LINES: readonly { readonly line: string; readonly allows: Access; readonly refuses: Access }[] = [
  {
    line: `pattern write ${FLEET}/up/%u`,
    allows: access('pi-1', 'write', 'up/pi-1'),
    refuses: access('pi-1', 'write', 'up/pi-2'),
  },
  {
    line: `pattern write ${FLEET}/status/%u`,
    allows: access('pi-1', 'write', 'status/pi-1'),
    refuses: access('pi-1', 'write', 'status/pi-2'),
  },
  {
    line: `pattern write ${FLEET}/state/%u`,
    allows: access('pi-1', 'write', 'state/pi-1'),
    refuses: access('pi-1', 'write', 'state/pi-2'),
  },
  {
    line: `pattern read ${FLEET}/receipt/%u`,
    allows: access('pi-1', 'read', 'receipt/pi-1'),
    refuses: access('pi-1', 'read', 'receipt/pi-2'),
  },
  {
    line: `pattern read ${FLEET}/label/%u`,
    allows: access('pi-1', 'read', 'label/pi-1'),
    refuses: access('pi-1', 'read', 'label/pi-2'),
  },
  {
    line: `pattern read ${FLEET}/round/#`,
    allows: access('pi-1', 'read', 'round/current'),
    refuses: access('pi-1', 'write', 'round/current'),
  },
  {
    line: `pattern read ${FLEET}/global/#`,
    allows: access('pi-1', 'read', 'global/model'),
    refuses: access('pi-1', 'write', 'global/model'),
  },
  {
    line: `topic read ${FLEET}/up/+`,
    allows: access('aggregator', 'read', 'up/pi-1'),
    refuses: access('aggregator', 'read', `${OTHER_FLEET}/up/pi-1`),
  },
  {
    line: `topic read ${FLEET}/status/+`,
    allows: access('aggregator', 'read', 'status/pi-1'),
    refuses: access('aggregator', 'read', 'label/pi-1'),
  },
  {
    line: `topic read ${FLEET}/state/+`,
    allows: access('aggregator', 'read', 'state/pi-1'),
    refuses: access('aggregator', 'read', `${OTHER_FLEET}/state/pi-1`),
  },
  {
    line: `topic write ${FLEET}/receipt/+`,
    allows: access('aggregator', 'write', 'receipt/pi-1'),
    refuses: access('aggregator', 'write', 'up/pi-1'),
  },
  {
    line: `topic write ${FLEET}/round/+`,
    allows: access('aggregator', 'write', 'round/current'),
    refuses: access('aggregator', 'write', `${OTHER_FLEET}/round/current`),
  },
  {
    line: `topic write ${FLEET}/global/+`,
    allows: access('aggregator', 'write', 'global/model'),
    refuses: access('aggregator', 'write', `${OTHER_FLEET}/global/model`),
  },
  {
    line: `topic write ${FLEET}/label/+`,
    allows: access('operator', 'write', 'label/pi-1'),
    refuses: access('operator', 'write', 'round/current'),
  },
  {
    line: `topic read ${FLEET}/status/+`,
    allows: access('operator', 'read', 'status/pi-1'),
    refuses: access('operator', 'read', 'up/pi-1'),
  },
  {
    line: `topic read ${FLEET}/status/+`,
    allows: access('dashboard', 'read', 'status/pi-1'),
    refuses: access('dashboard', 'write', 'label/pi-1'),
  },
  {
    line: `topic read ${FLEET}/state/+`,
    allows: access('dashboard', 'read', 'state/pi-1'),
    refuses: access('dashboard', 'read', 'up/pi-1'),
  },
  {
    line: 'pattern read homeassistant/status',
    allows: access('pi-2', 'read', 'homeassistant/status'),
    refuses: access('pi-2', 'read', HOME_DEVICE),
  },
  {
    line: `topic write ${HOME_DEVICE}`,
    allows: access('pi-1', 'write', HOME_DEVICE),
    refuses: access('pi-2', 'write', HOME_DEVICE),
  },
  {
    line: 'topic read homeassistant/device/+/config',
    allows: access('home-assistant', 'read', HOME_DEVICE),
    refuses: access('home-assistant', 'write', HOME_DEVICE),
  },
  {
    line: 'topic write homeassistant/status',
    allows: access('home-assistant', 'write', 'homeassistant/status'),
    refuses: access('home-assistant', 'write', 'label/pi-1'),
  },
  {
    line: `topic read ${FLEET}/state/+`,
    allows: access('home-assistant', 'read', 'state/pi-1'),
    refuses: access('home-assistant', 'read', 'status/pi-1'),
  },
];

const USERS = ['pi-1', 'pi-2', 'aggregator', 'operator', 'dashboard', 'home-assistant'];
/** Sees everything and may say everything, in tests only. */
const WITNESS = 'witness';
const withProbes = (rules: string) => `${rules}${PROBE_RULES}user ${WITNESS}\ntopic readwrite #\n`;

interface Bench {
  readonly broker: Mosquitto;
  readonly certificates: Certificates;
  /** Whether the access works, tried out. */
  works(tried: Access): Promise<boolean>;
}

async function bench(t: TestContext): Promise<Bench> {
  const certificates = await createCertificates(t, [...USERS, WITNESS]);
  const broker = await startMosquitto(t, {
    kind: 'production',
    certs: certificates.dir,
    access: withProbes(RULES),
  });
  const clients = new Map<string, TestClient>();
  for (const name of [...USERS, WITNESS]) {
    clients.set(name, await connectClient(t, name, { port: broker.port, ...certificates.tls(name) }));
  }
  const client = (name: string) => clients.get(name) as TestClient;
  await client(WITNESS).mqtt.subscribeAsync('#', { qos: 1 });
  // Mosquitto grants every subscription and holds back what may not be read.
  for (const user of USERS) await client(user).mqtt.subscribeAsync(['qqr/#', 'homeassistant/#'], { qos: 1 });
  return {
    broker,
    certificates,
    async works({ user, does, topic }) {
      const [from, to] = does === 'write' ? [user, WITNESS] : [WITNESS, user];
      await client(to).hasSeen(''); // forgets what came before
      await client(from).mqtt.publishAsync(topic, 'x', { qos: 1 });
      return client(to).hasSeen(topic);
    },
  };
}

const isRule = (line: string) => /^(?:topic|pattern) /.test(line);

test('every line of the access rules is in the table, in its order', () => {
  assert.deepEqual(
    RULES.split('\n').filter(isRule),
    LINES.map(({ line }) => line),
  );
});

test('the rules know every topic of a fleet', () => {
  const all = Object.entries(topics('default')).flatMap(([name, topic]) => {
    if (name === 'deviceOf' || name.endsWith('Filter')) return [];
    return [typeof topic === 'string' ? topic : (topic as (device: string) => string)('pi-1')];
  });
  assert.ok(all.length >= 9);
  const tried = LINES.map(({ allows }) => allows.topic.split('/')[3]);
  for (const topic of all) assert.ok(tried.includes(topic.split('/')[3]), `no rule allows ${topic}`);
});

test('each line allows what it is for, and what is next to it is refused', OPTIONS, async (t) => {
  const { works } = await bench(t);
  for (const { line, allows, refuses } of LINES) {
    assert.equal(await works(allows), true, `${line}: ${JSON.stringify(allows)}`);
    assert.equal(await works(refuses), false, `${line}: ${JSON.stringify(refuses)}`);
  }
});

test('without a line what it allowed is refused, and nothing else', OPTIONS, async (t) => {
  const { broker, works } = await bench(t);
  const lines = RULES.split('\n');
  const rules = lines.flatMap((line, at) => (isRule(line) ? [at] : []));
  for (const [i, at] of rules.entries()) {
    await broker.setAccess(withProbes(lines.toSpliced(at, 1).join('\n')));
    const working = [];
    for (const { allows } of LINES) working.push(await works(allows));
    assert.deepEqual(
      working,
      LINES.map((_, j) => j !== i),
      `without ${lines[at]}`,
    );
  }
});

test(
  'with a wider line what must be refused gets through: the refusals above are seen, not assumed',
  OPTIONS,
  async (t) => {
    const { broker, works } = await bench(t);
    for (const { line, refuses } of LINES) {
      const wider = `${RULES}user ${refuses.user}\ntopic ${refuses.does} ${refuses.topic}\n`;
      await broker.setAccess(withProbes(wider));
      assert.equal(await works(refuses), true, `beside ${line}`);
    }
  },
);

test('passwords that qqr provision writes are the broker’s, until they are taken out', OPTIONS, async (t) => {
  const certificates = await createCertificates(t, []);
  const passwords = join(certificates.dir, 'passwords');
  await setPassword(passwords, 'pi-1', 'first');
  await setPassword(passwords, 'pi-2', 'other: with $ and ö');
  await setPassword(passwords, 'pi-1', 'second');
  assert.equal(statSync(passwords).mode & 0o777, 0o600);
  const access = `${RULES}${PROBE_RULES}`;
  const broker = await startMosquitto(t, { kind: 'password', certs: certificates.dir, passwords, access });
  const connect = (username: string, password: string, clientId = username) =>
    connectClient(t, clientId, { port: broker.port, ...certificates.tls(), username, password });
  const refused = { code: 5 }; // CONNACK: not authorized

  await connect('pi-1', 'second');
  const pi2 = await connect('pi-2', 'other: with $ and ö');
  await assert.rejects(connect('pi-1', 'first'), refused);
  await assert.rejects(connect('nobody', 'second'), refused);
  await assert.rejects(connectClient(t, 'x', { port: broker.port, ...certificates.tls() }), refused);

  await pi2.mqtt.subscribeAsync(`${FLEET}/receipt/+`, { qos: 1 });
  const ended = new Promise<void>((resolve) => pi2.mqtt.once('close', () => resolve()));
  await removePassword(passwords, 'pi-2');
  await broker.reload();
  await ended;
  await assert.rejects(connect('pi-2', 'other: with $ and ö'), refused);
});

test('local.conf lets anybody in, from this machine', OPTIONS, async (t) => {
  const broker = await startMosquitto(t, { kind: 'local', certs: '/nowhere' });
  const client = await connectClient(t, 'anybody', { port: broker.port, protocol: 'mqtt', host: '127.0.0.1' });
  assert.equal(await client.hasSeen('probe/anybody'), false);
});
