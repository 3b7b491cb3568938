/** A certificate that comes to its end is told of once a day, until it is renewed. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Clock } from '../../core/base/clock.ts';
import { type Log, silentLog } from '../../core/base/log.ts';
import { expiresAtMs } from '../../core/link/certificate.ts';
import { type CertificateEnds, certificateEnds } from '../../core/link/certificate-ends.ts';
import { createCertificateWatch } from '../../core/link/certificate-watch.ts';
import { createTestAuthority } from '../fixtures/certificates.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';

const DAY_MS = 86_400_000;

test('warns once a day below 30 days, says when it has expired, and is quiet after the renewal', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-watch-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { ca, issue } = await createTestAuthority(folder);
  const { cert } = await issue({ name: 'pi-1', untilDays: 31.5 });
  const renewed = await issue({ name: 'pi-1', untilDays: 400, file: 'renewed' });
  const startMs = Date.now();
  const time = createManualClock();
  let looked: () => void = () => undefined;
  const clock: Clock = {
    nowMs: time.nowMs,
    wallMs: () => startMs + time.nowMs(),
    sleep(ms, signal) {
      looked();
      return time.sleep(ms, signal);
    },
  };
  const nextLook = () => new Promise<void>((resolve) => (looked = resolve));
  const warned: string[] = [];
  const log: Log = {
    ...silentLog,
    warn: (fields, message) => void warned.push(`${message} ${JSON.stringify(fields)}`),
  };
  const watch = createCertificateWatch({ ca, cert }, clock, log);
  const day = async () => {
    const look = nextLook();
    await time.advance(DAY_MS);
    await look;
    return warned.splice(0);
  };

  const first = nextLook();
  await watch.start(new AbortController().signal);
  await first;
  assert.deepEqual(warned, []);
  assert.deepEqual(await day(), []);
  assert.deepEqual(await day(), [`certificate expires soon ${JSON.stringify({ path: cert, days: 29 })}`]);
  assert.deepEqual(await day(), [`certificate expires soon ${JSON.stringify({ path: cert, days: 28 })}`]);
  for (let n = 4; n < 32; n++) await day();
  assert.deepEqual(await day(), [`certificate has expired ${JSON.stringify({ path: cert, days: -1 })}`]);
  rmSync(cert);
  assert.deepEqual(await day(), [], 'the link tells of a file that is gone');
  copyFileSync(renewed.cert, cert);
  assert.deepEqual(await day(), []);
  await watch.stop();
});

test('ends are those of the files as they are now; what is not named or cannot be read has none', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-ends-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { ca, issue } = await createTestAuthority(folder);
  const { cert, certPem } = await issue({ name: 'pi-1', untilDays: 31.5 });
  const daysLeft = ({ client = Number.NaN }: CertificateEnds) => (client - Date.now()) / DAY_MS;
  const ends = await certificateEnds({ ca, cert });
  assert.deepEqual(Object.keys(ends), ['client', 'authority']);
  assert.ok(Math.abs(daysLeft(ends) - 31.5) < 0.1, `${daysLeft(ends)} days`);
  assert.equal(ends.client, expiresAtMs(certPem));
  const renewed = await issue({ name: 'pi-1', untilDays: 400, file: 'renewed' });
  copyFileSync(renewed.cert, cert);
  assert.ok(Math.abs(daysLeft(await certificateEnds({ ca, cert })) - 400) < 0.1, 'the file has been renewed');
  assert.deepEqual(await certificateEnds({}), {});
  assert.deepEqual(Object.keys(await certificateEnds({ ca, cert: join(folder, 'gone.crt') })), ['authority']);
});
