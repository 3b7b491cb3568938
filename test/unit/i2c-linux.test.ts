/** The kernel's I2C bus with the package replaced: what its errors become, what is opened when, and what a missing bus is told as. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { busSpeedHz, linuxI2c, listI2cBuses, transactionError } from '../../agent/hw/i2c-linux.ts';
import { createWires } from '../../agent/hw/sim/wires.ts';
import { AppError, describeError } from '../../core/base/errors.ts';
import { failsWith } from '../contract/i2c-bus.ts';
import { createFakeI2cBus, systemError } from '../fixtures/fake-i2c-bus.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';
import { createRegisterFileChip, FIFO } from '../fixtures/register-file-chip.ts';

const ADDRESS = 0x42;

function packageWithChip(random: () => number = () => 1) {
  const wires = createWires({ chips: [createRegisterFileChip(ADDRESS)], nowUs: () => 0, random });
  return { wires, module: createFakeI2cBus(wires) };
}

async function opened(random?: () => number) {
  const { wires, module } = packageWithChip(random);
  const clock = createManualClock();
  const bus = await linuxI2c({ load: async () => module, clock })(1);
  return { module, clock, bus, wires };
}

/** A `/sys` with these buses, and the device tree's clock of one of them. */
function sysfsWith(t: TestContext, buses: Readonly<Record<number, string>>, clockOf1?: Uint8Array): string {
  const sysfs = mkdtempSync(join(tmpdir(), 'sysfs-'));
  t.after(() => rmSync(sysfs, { recursive: true }));
  for (const [number, name] of Object.entries(buses)) {
    const folder = join(sysfs, 'class', 'i2c-dev', `i2c-${number}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'name'), `${name}\n`);
  }
  if (clockOf1 !== undefined) {
    const node = join(sysfs, 'bus', 'i2c', 'devices', 'i2c-1', 'of_node');
    mkdirSync(node, { recursive: true });
    writeFileSync(join(node, 'clock-frequency'), clockOf1);
  }
  return sysfs;
}

test('every errno of a transaction has its code', () => {
  const codes = {
    'bus-no-answer': ['ENXIO', 'EREMOTEIO', 'EIO', 'ENODEV', 'ENOENT', 'EINVAL', 'EOPNOTSUPP'],
    'bus-hung': ['ETIMEDOUT', 'EAGAIN', 'EBUSY'],
  } as const;
  for (const [code, errnos] of Object.entries(codes)) {
    for (const errno of errnos) {
      const error = transactionError(systemError(errno), '/dev/i2c-1', 0x68);
      assert.equal(error.code, code, errno);
      assert.match(describeError(error), new RegExp(`${errno}.*/dev/i2c-1, address 0x68`));
    }
  }
});

test('reads of up to 32 bytes are one transaction with a repeated START, longer ones two messages', async () => {
  const { module, bus } = await opened();
  await bus.read(ADDRESS, 0x10, 14);
  await bus.read(ADDRESS, FIFO, 32);
  await bus.read(ADDRESS, FIFO, 240);
  await bus.write(ADDRESS, 0x6b, [0x80, 1]);
  assert.deepEqual(module.calls, ['block 10 × 14', 'block f0 × 32', 'write f0', 'read × 240', 'write 6b8001']);
});

test('a read that brings too few bytes is no answer', async () => {
  const { module, bus } = await opened();
  for (const length of [6, 60]) {
    module.shortenNext(1);
    await assert.rejects(bus.read(ADDRESS, 0, length), failsWith('bus-no-answer'));
  }
});

// Seen on a real kernel: else the read after it would bring another register's bytes.
test("a register's number that nobody acknowledged is no answer, though write(2) says nothing", async () => {
  let drawn: number[] = [];
  const { module, bus, wires } = await opened(() => drawn.shift() ?? 1);
  module.isSilent = true;
  wires.nackShare = 0.5;
  for (const draws of [
    [0, 1],
    [1, 0],
  ]) {
    drawn = draws;
    await assert.rejects(bus.read(ADDRESS, 0x20, 60), failsWith('bus-no-answer'));
  }
  await assert.rejects(bus.write(0x43, 0, [1]), failsWith('bus-no-answer'));
  assert.equal(module.opened(), 1);
});

test('an error that comes as late as a timeout is a stuck bus, whatever its errno', async () => {
  const { module, clock, bus } = await opened();
  for (const [lateMs, code] of [
    [499, 'bus-no-answer'],
    [500, 'bus-hung'],
  ] as const) {
    module.hang();
    const call = assert.rejects(bus.read(ADDRESS, 0, 1), failsWith(code));
    await clock.advance(lateMs);
    module.free('EIO');
    await call;
  }
});

test('a missing acknowledge keeps the device open; anything else opens it anew', async () => {
  const { module, bus } = await opened();
  for (const errno of ['EREMOTEIO', 'ENXIO', 'EIO']) {
    module.failNext(errno);
    await assert.rejects(bus.read(ADDRESS, 0, 1), failsWith('bus-no-answer'));
  }
  await bus.read(ADDRESS, 0, 1);
  assert.deepEqual([module.opened(), module.closed()], [1, 0]);
  for (const [i, errno] of ['ENODEV', 'ETIMEDOUT', 'EAGAIN'].entries()) {
    module.failNext(errno);
    await assert.rejects(bus.read(ADDRESS, 0, 1));
    await bus.read(ADDRESS, 0, 1);
    assert.deepEqual([module.opened(), module.closed()], [i + 2, i + 1], errno);
  }
});

// i2c-bus keeps a file whose I2C_SLAVE was refused, and would talk to address 0 through it: the general call, which resets chips.
test('an address that a kernel driver holds is no answer, says so, and its file is not used again', async () => {
  const { module, bus } = await opened();
  module.failNext('EBUSY', 'setAddr');
  await assert.rejects(bus.read(ADDRESS, 0, 1), (error) => {
    assert.match(describeError(error), /driver of the kernel.*bus-no-answer/);
    return true;
  });
  assert.equal(module.closed(), 1);
});

test('a transaction that does not end is given up after a second, and only one waits in the pool', async () => {
  const { module, clock, bus } = await opened();
  module.hang();
  const first = assert.rejects(bus.read(ADDRESS, 0, 1), failsWith('bus-hung'));
  const second = assert.rejects(bus.write(ADDRESS, 0, [1]), failsWith('bus-hung'));
  await clock.advance(999);
  assert.equal(module.calls.length, 1);
  await clock.advance(1);
  await first;
  await clock.advance(1000);
  await second;
  await bus.recover();
  const third = assert.rejects(bus.read(ADDRESS, 0, 1), failsWith('bus-hung'));
  await clock.advance(1000);
  await third;
  assert.equal(module.calls.length, 1);
  assert.deepEqual([module.opened(), module.closed()], [1, 0]);

  module.free();
  await turn();
  assert.deepEqual([...(await bus.read(ADDRESS, 0x75, 1))], [0x5a]);
  assert.deepEqual([module.opened(), module.closed()], [2, 1]);
});

test('a call goes on when the transaction before it comes back within its time', async () => {
  const { module, clock, bus } = await opened();
  module.hang();
  const first = assert.rejects(bus.read(ADDRESS, 0, 1), failsWith('bus-hung'));
  await clock.advance(1000);
  await first;
  const second = bus.read(ADDRESS, 0x75, 1);
  await clock.advance(500);
  module.free();
  assert.deepEqual([...(await second)], [0x5a]);
});

test('recovery opens the device anew', async () => {
  const { module, bus } = await opened();
  await bus.recover();
  await bus.read(ADDRESS, 0, 1);
  assert.deepEqual([module.opened(), module.closed()], [2, 1]);
});

async function openingError(
  errno: string | null,
  options: { readonly sysfs?: string; readonly smbusOnly?: boolean },
): Promise<string> {
  const { module } = packageWithChip();
  module.failOpening(errno);
  module.smbusOnly = options.smbusOnly ?? false;
  const opening = linuxI2c({ load: async () => module, sysfs: options.sysfs ?? '/nowhere' })(1);
  return opening.then(
    () => assert.fail('it opened'),
    (error: unknown) => {
      assert.ok(error instanceof AppError && error.code === 'bus-missing', String(error));
      return describeError(error);
    },
  );
}

test('a bus that is not there: I2C is off, or another number, or no permission, or not plain I2C', async (t) => {
  assert.match(await openingError('ENOENT', {}), /shows no I2C bus \(\/dev\/i2c-1\)[\s\S]*raspi-config/);
  const sysfs = sysfsWith(t, { 20: 'Pi HDMI', 0: 'bcm2835 (i2c@7e205000)' });
  assert.match(
    await openingError('ENOENT', { sysfs }),
    /no I2C bus 1[\s\S]*0 \(bcm2835 \(i2c@7e205000\)\), 20 \(Pi HDMI\)/,
  );
  assert.match(await openingError('EACCES', { sysfs }), /no permission[\s\S]*group i2c/);
  assert.match(await openingError('ENOENT', { sysfs: sysfsWith(t, { 1: 'bcm2835' }) }), /cannot be opened: ENOENT/);
  assert.match(await openingError(null, { smbusOnly: true }), /SMBus only/);
});

test('without the package the error names it', async () => {
  const load = async () => {
    throw systemError('ERR_MODULE_NOT_FOUND', 'import');
  };
  await assert.rejects(linuxI2c({ load })(1), failsWith('dependency-missing'));
});

test('the real package, where it is installed, loads and tells a missing bus', async (t) => {
  if (
    await import('i2c-bus').then(
      () => false,
      () => true,
    )
  )
    return t.skip('the optional package i2c-bus is not installed');
  await assert.rejects(linuxI2c()(200), failsWith('bus-missing'));
});

test('buses are listed by number with their names', async (t) => {
  const sysfs = sysfsWith(t, { 10: 'mux', 2: 'brcmstb' });
  assert.deepEqual(await listI2cBuses(sysfs), [
    { number: 2, name: 'brcmstb' },
    { number: 10, name: 'mux' },
  ]);
  assert.deepEqual(await listI2cBuses('/nowhere'), []);
});

test("a bus's speed comes from the device tree, if that says", async (t) => {
  const sysfs = sysfsWith(t, {}, Uint8Array.of(0x00, 0x06, 0x1a, 0x80));
  assert.equal(await busSpeedHz(1, sysfs), 400_000);
  assert.equal(await busSpeedHz(2, sysfs), null);
});
