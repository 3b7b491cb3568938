/** Settings of the embedded broker: strangers from other machines come in only where the settings say so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError, exitStatus } from '../../core/base/errors.ts';
import { silentLog } from '../../core/base/log.ts';
import { parseServerConfig } from '../../server/config.ts';
import { embeddedOptionsFrom, isLoopback, warnWhenOpen } from '../../server/embedded-settings.ts';

const options = (broker: object) => embeddedOptionsFrom(parseServerConfig({ broker }, 'test'));

function refusal(broker: object): AppError {
  try {
    options(broker);
  } catch (error) {
    assert.ok(error instanceof AppError);
    assert.equal(exitStatus(error), 78);
    return error;
  }
  return assert.fail(`${JSON.stringify(broker)} was taken`);
}

test('this machine is served without credentials, another one is not', () => {
  for (const listen of ['127.0.0.1:1883', '127.8.0.1:0', '[::1]:1883', 'localhost:1883'])
    assert.ok(options({ listen }));
  for (const listen of ['0.0.0.0:1883', '[::]:1883', '192.168.1.5:1883', 'hub.local:1883', '[::ffff:10.0.0.1]:1']) {
    const error = refusal({ listen });
    assert.equal(error.where, 'broker.listen');
    assert.match(`${error.hint}`, /usersFile.*tls.*anonymous/);
    assert.ok(options({ listen, usersFile: 'p' }));
    assert.ok(options({ listen, tls: { cert: 'c', key: 'k', ca: 'a' } }));
    assert.ok(options({ listen, anonymous: true }));
    refusal({ listen, tls: { cert: 'c', key: 'k' } }); // encrypted, and open to everybody
  }
});

test('settings that contradict each other are refused', () => {
  const tls = { cert: 'c', key: 'k', ca: 'a' };
  assert.equal(refusal({ usersFile: 'p', tls }).where, 'broker.usersFile');
  assert.equal(refusal({ usersFile: 'p', anonymous: true }).where, 'broker.anonymous');
  assert.equal(refusal({ tls: { cert: 'c', key: 'k', crl: 'r' } }).where, 'broker.tls.crl');
  assert.equal(refusal({ url: 'mqtt://b', usersFile: 'p' }).where, 'broker.url');
  assert.ok(options({ url: 'mqtt://b', listen: '0.0.0.0:1883' })); // nothing listens
});

test('a broker that is open to a network says so', () => {
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_fields: object, message: string) => void warnings.push(message) };
  const warn = (broker: object) => warnWhenOpen(parseServerConfig({ broker }, 'test'), log);
  warn({});
  warn({ anonymous: true });
  assert.deepEqual(warnings, []);
  warn({ anonymous: true, listen: '0.0.0.0:1883' });
  assert.match(warnings.join(), /anonymous/);
});

test('only this machine is loopback', () => {
  for (const host of ['127.0.0.1', '::1', 'LOCALHOST']) assert.ok(isLoopback(host), host);
  for (const host of ['128.0.0.1', '::', '0.0.0.0', 'localhost.example', '127.0.0.1.nip.io']) {
    assert.ok(!isLoopback(host), host);
  }
});
