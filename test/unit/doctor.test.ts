/** A healthy board, and the same board with one thing wrong at a time. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { I2cBus } from '../../agent/hw/i2c.ts';
import { examine, type Patient } from '../../agent/ops/doctor.ts';
import { probe, sensorBlock } from '../../agent/ops/probe.ts';
import { AppError } from '../../core/base/errors.ts';
import { expiryDays } from '../../core/link/certificate.ts';
import { type LinkFiles, readLinkFiles } from '../../core/link/link-files.ts';
import { createTestAuthority } from '../fixtures/certificates.ts';

/** Chips by address, each with its registers that are not 0. */
function busWith(chips: Readonly<Record<number, Readonly<Record<number, number>>>>): I2cBus {
  return {
    async read(address, register, length) {
      const registers = chips[address];
      if (registers === undefined) throw new AppError('bus-no-answer', 'no acknowledgement', { where: `${address}` });
      return Uint8Array.from({ length }, (_, i) => registers[register + i] ?? 0);
    },
    async write(address, register) {
      if (chips[address] === undefined)
        throw new AppError('bus-no-answer', 'no acknowledgement', { where: `${address}` });
      assert.equal(register, BANK_SELECT, 'written while probing');
    },
    recover: async () => undefined,
    close: async () => undefined,
  };
}

/** REG_BANK_SEL of the ICM-20948 (DS-000189 §7.5), a reserved register of the others. */
const BANK_SELECT = 0x7f;
const MPU6050 = { 117: 0x68 };
const ADXL345 = { 0: 0xe5 };
const LSM6DS3 = { 15: 0x69 };

describe('probe', () => {
  it('names what answers, with the block to paste, and configures nothing', async () => {
    const found = await probe(busWith({ 104: MPU6050, 83: ADXL345, 107: LSM6DS3 }));
    assert.deepEqual(
      found.map(({ address, chip }) => [address, chip]),
      [
        [0x53, 'adxl345'],
        [0x68, 'mpu6050'],
        [0x6b, 'lsm6ds3'],
      ],
    );
    assert.equal(
      sensorBlock(1, found[1] as (typeof found)[number]),
      '[[sensors]]\nchip = "mpu6050"\nbus = 1\naddress = 0x68\n',
    );
  });

  it('tells a relative from the part, and a stranger from nothing', async () => {
    const [relative] = await probe(busWith({ 105: { 117: 0x70 } }));
    assert.equal(relative?.chip, 'mpu6500');
    assert.deepEqual(await probe(busWith({ 105: { 117: 0xee, 15: 0xee, 0: 0xee } })), [
      { address: 0x69, chip: null, identity: null },
    ]);
    assert.deepEqual(await probe(busWith({})), []);
  });
});

const CHIP = {
  chip: 'mpu6050',
  bus: 1,
  address: 0x68,
  rateHz: 100,
  accRangeG: 4,
  gyrRangeDps: 500,
  fifo: true,
  axes: ['x', 'y', 'z'],
  dataReady: false,
} as const;

const HEALTHY: Patient = {
  node: { version: 'v20.19.6', arch: 'arm64' },
  memoryMb: 4000,
  packages: async () => [{ name: 'i2c-bus', problem: null }],
  chips: [CHIP],
  openBus: async () => busWith({ 104: MPU6050 }),
  busSpeedHz: async () => 400_000,
  isClockSynchronized: async () => true,
  link: {},
  readLink: async () => ({ warnings: [] }),
  wallMs: () => Date.now(),
  reachBroker: async () => 'mqtt://hub:1883',
  stateDir: '/var/lib/qqr-agent',
  writeState: async () => undefined,
  freeMb: async () => 20_000,
  needs: { learnerMb: 700, bufferMb: 512 },
  isRunning: async () => false,
};

const ILLS: readonly (readonly [string, Partial<Patient>, what: RegExp, state: 'warn' | 'fail', todo: RegExp])[] = [
  ['an old Node.js', { node: { version: 'v18.20.0', arch: 'arm64' } }, /node/, 'fail', /20\.19/],
  ['a 32-bit system', { node: { version: 'v20.19.6', arch: 'arm' } }, /node/, 'fail', /64-bit/],
  ['little memory', { memoryMb: 512 }, /memory/, 'warn', /learner\.memoryMb/],
  [
    'an add-on that does not load',
    { packages: async () => [{ name: 'onoff', problem: 'no such file' }] },
    /onoff/,
    'fail',
    /npm rebuild/,
  ],
  ['no sensor', { chips: [] }, /sensors/, 'warn', /probe/],
  ['a silent chip', { openBus: async () => busWith({}) }, /mpu6050 at 1:0x68/, 'fail', /^/],
  ['a relative of the chip', { openBus: async () => busWith({ 104: { 117: 0x70 } }) }, /mpu6050/, 'warn', /MPU-6500/],
  ['a slow bus', { chips: [{ ...CHIP, rateHz: 1000 }], busSpeedHz: async () => 100_000 }, /bus 1/, 'warn', /baudrate/],
  ['an unset clock', { isClockSynchronized: async () => false }, /clock/, 'warn', /NTP/],
  [
    'no broker',
    { reachBroker: () => Promise.reject(new AppError('link-unavailable', 'refused', { hint: 'start it' })) },
    /broker/,
    'fail',
    /start it/,
  ],
  [
    'a folder that cannot be written',
    { writeState: () => Promise.reject(new AppError('storage-failed', 'read only', { hint: 'mount it' })) },
    /state folder/,
    'fail',
    /mount it/,
  ],
  ['a full disk', { freeMb: async () => 100 }, /disk/, 'warn', /capMb/],
  ['an agent that runs', { isRunning: async () => true }, /agent/, 'warn', /systemctl stop/],
];

describe('the doctor', () => {
  it('finds a healthy board healthy', async () => {
    const findings = await examine(HEALTHY);
    assert.deepEqual(
      findings.filter(({ state }) => state !== 'ok'),
      [],
    );
    assert.ok(findings.length >= 9);
    assert.ok(findings.some(({ found }) => found === 'MPU-6050: acc 100 Hz, gyr 100 Hz'));
  });

  for (const [name, ill, what, state, todo] of ILLS) {
    it(`names ${name}, and that alone`, async () => {
      const wrong = (await examine({ ...HEALTHY, ...ill })).filter((finding) => finding.state !== 'ok');
      assert.equal(wrong.length, 1, JSON.stringify(wrong));
      assert.match(wrong[0]?.what ?? '', what);
      assert.equal(wrong[0]?.state, state);
      assert.match(wrong[0]?.todo ?? '', todo);
      assert.equal(wrong[0]?.code !== undefined, state === 'fail');
    });
  }
});

describe('the doctor, of certificates', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-doctor-'));
  after(() => rmSync(folder, { recursive: true }));
  const { ca, issue } = await createTestAuthority(folder);
  const filesOf = async (name: string, untilDays: number): Promise<LinkFiles> => {
    const { cert, key } = await issue({ name, untilDays, fromDays: -100 });
    return { ca, cert, key };
  };
  const found = async (link: LinkFiles) => {
    const findings = await examine({ ...HEALTHY, link, readLink: () => readLinkFiles(link) });
    return findings.filter(({ what }) => ['link files', 'CA', 'certificate'].includes(what));
  };

  it('counts the days until a certificate expires', async () => {
    const { certPem } = await issue({ name: 'counted', untilDays: 45 });
    const days = expiryDays(certPem, Date.now());
    assert.ok(days > 44.99 && days <= 45, `${days}`);
    assert.ok(Math.abs(expiryDays(certPem, Date.now() + 46 * 86_400_000) + 1) < 0.01);
  });

  it('says for how long they are valid, and that the key fits', async () => {
    const findings = await found(await filesOf('good', 45.5));
    assert.deepEqual(
      findings.map(({ what, state }) => [what, state]),
      [
        ['link files', 'ok'],
        ['CA', 'ok'],
        ['certificate', 'ok'],
      ],
    );
    assert.match(findings[0]?.found ?? '', /the key fits/);
    assert.match(findings[2]?.found ?? '', /good\.crt is valid for 45 more days/);
  });

  it('warns below 30 days, and fails on one that has expired', async () => {
    for (const [untilDays, state, text] of [
      [29.5, 'warn', /valid for 29 more days/],
      [30.5, 'ok', /valid for 30 more days/],
      [-2.5, 'fail', /expired 2 days ago/],
    ] as const) {
      const findings = await found(await filesOf(`until${untilDays}`, untilDays));
      const certificate = findings.find(({ what }) => what === 'certificate');
      assert.equal(certificate?.state, state);
      assert.match(certificate?.found ?? '', text);
      assert.equal(certificate?.code, state === 'fail' ? 'link-untrusted' : undefined);
    }
  });

  it('warns of a key that others may read, and fails on one of another certificate', async () => {
    const files = await filesOf('open', 100);
    chmodSync(`${files.key}`, 0o640 | 0o004);
    assert.deepEqual(
      (await found(files)).map(({ state }) => state),
      ['warn', 'ok', 'ok'],
    );
    const other = await filesOf('other', 100);
    const [finding, ...more] = await found({ ...files, key: `${other.key}` });
    assert.equal(finding?.state, 'fail');
    assert.match(finding?.found ?? '', /do not belong together/);
    assert.deepEqual(more, []);
  });

  it('says nothing of them where none are configured', async () => {
    assert.deepEqual(await found({}), []);
  });
});
