/**
 * The kernel's I2C buses, `/dev/i2c-n`, through the package i2c-bus, whose only importer this is. The package is an optional add-on and
 * loaded when a bus is opened, so that machines without I2C run everything else.
 * Calls run in libuv's pool: a slow bus never stops the event loop. Reads of up to 32 bytes are one transaction with a repeated START
 * (SMBus "I2C block read"); longer ones are a write of the register's number, STOP, and a read: chips keep their address counter over a
 * STOP, and one long read of a FIFO is cheaper than many short ones. The kernel takes 8192 bytes at most.
 * Invariant: at most one transaction of a bus is in the pool, also when it does not come back; so a dead bus holds one of its four threads.
 */
import { readdir, readFile } from 'node:fs/promises';
import type { I2cHandle } from 'i2c-bus';
import { type Clock, systemClock } from '../../core/base/clock.ts';
import { AppError } from '../../core/base/errors.ts';
import type { I2cBus, OpenI2cBus } from './i2c.ts';
import { createSerialQueue } from './serial-queue.ts';

/** What is used of the package. */
export type I2cBusModule = Pick<typeof import('i2c-bus'), 'openPromisified'>;

export interface LinuxI2cOptions {
  /** A transaction that takes longer is given up, milliseconds. The kernel's drivers mostly give up after a second themselves. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  /** Where the package comes from; tests put a fake here. */
  readonly load?: () => Promise<I2cBusModule>;
  /** Root of the kernel's tables: `/sys`. */
  readonly sysfs?: string;
}

/** The longest read that the package makes with a repeated START (I2C_SMBUS_BLOCK_MAX of the kernel). */
const BLOCK_BYTES = 32;

/**
 * @returns opens buses; @throws AppError `dependency-missing` without the package, `bus-missing` with what to do: enable I2C, take another
 * number, get permission
 */
export function linuxI2c({
  timeoutMs = 1000,
  clock = systemClock,
  load = loadPackage,
  sysfs = '/sys',
}: LinuxI2cOptions = {}): OpenI2cBus {
  return async (number) => {
    const open = await load().then(
      (module) => () => module.openPromisified(number),
      (cause: unknown) => {
        throw new AppError('dependency-missing', 'the package i2c-bus cannot be loaded', {
          where: 'i2c-bus',
          hint: 'Run `npm ci` again on Linux with a C++ compiler and make; it is an optional package that npm leaves out when it cannot be built.',
          cause,
        });
      },
    );
    const handle = await open();
    const able = await handle.i2cFuncs().catch(async (cause: unknown) => {
      throw missingBus(number, cause, await listI2cBuses(sysfs));
    });
    if (!able.i2c) {
      await handle.close();
      throw new AppError('bus-missing', 'the adapter speaks SMBus only', {
        where: deviceFile(number),
        hint: 'Take a bus with plain I2C messages: `i2cdetect -F N` says what bus N can do.',
      });
    }
    return createBus(handle, open, { where: deviceFile(number), timeoutMs, clock });
  };
}

interface BusParts {
  readonly where: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

function createBus(first: I2cHandle, open: () => Promise<I2cHandle>, { where, timeoutMs, clock }: BusParts): I2cBus {
  const inTurn = createSerialQueue();
  let handle: I2cHandle | null = first;
  /** A transaction that outlived its deadline. The kernel lets nobody else on the bus until it ends, so nothing is sent before. */
  let stuck: Promise<void> | null = null;
  let isClosed = false;

  const hung = (what: string, address: number) => new AppError('bus-hung', what, { where: placeOf(where, address) });
  const drop = async () => {
    const dropped = handle;
    handle = null;
    await dropped?.close().catch(ignoreClosing);
  };
  const abandon = (used: I2cHandle, running: Promise<unknown>) => {
    handle = null;
    const closed = async () => {
      stuck = null;
      await used.close().catch(ignoreClosing);
    };
    stuck = running.then(closed, closed);
  };
  const transaction = <T>(address: number, run: (handle: I2cHandle) => Promise<T>): Promise<T> =>
    inTurn(async () => {
      if (isClosed) throw new AppError('bus-no-answer', 'the bus has been closed', { where });
      if (stuck !== null && (await within(stuck, timeoutMs, clock)) === null) {
        throw hung('an earlier transaction has still not ended', address);
      }
      handle ??= await open();
      const startMs = clock.nowMs();
      const running = run(handle);
      try {
        const done = await within(running, timeoutMs, clock);
        if (done !== null) return done.value;
      } catch (cause) {
        if (!isPlainNack(cause)) await drop();
        // Some adapters tell stuck lines by the errno of a missing acknowledge; that takes microseconds, their timeout takes long.
        if (clock.nowMs() - startMs >= timeoutMs / 2)
          throw hung(`the transaction failed late: ${said(cause)}`, address);
        throw transactionError(cause, where, address);
      }
      abandon(handle, running);
      throw hung(`the transaction did not end in ${timeoutMs} ms`, address);
    });
  return {
    read: (address, register, length) => transaction(address, (used) => readFrom(used, address, register, length)),
    write: (address, register, bytes) =>
      transaction(address, async (used) => {
        const message = Buffer.of(register, ...bytes);
        assertAll(await used.i2cWrite(address, message.length, message), message.length);
      }),
    recover: () => inTurn(drop),
    close: () =>
      inTurn(async () => {
        isClosed = true;
        await drop();
      }),
  };
}

async function readFrom(used: I2cHandle, address: number, register: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const into = Buffer.from(bytes.buffer);
  if (length <= BLOCK_BYTES) {
    assertAll(await used.readI2cBlock(address, register, length, into), length);
  } else {
    assertAll(await used.i2cWrite(address, 1, Buffer.of(register)), 1);
    assertAll(await used.i2cRead(address, length, into), length);
  }
  return bytes;
}

/** read(2) and write(2) on an I2C bus may end with fewer bytes, even 0, and no error when nobody acknowledged. */
function assertAll(got: { readonly bytesRead?: number; readonly bytesWritten?: number }, length: number): void {
  const bytes = got.bytesRead ?? got.bytesWritten;
  if (bytes !== length) throw Object.assign(new Error(`${bytes} of ${length} bytes went through`), { code: 'EIO' });
}

/** What `work` came to, or null when `ms` passed first. */
async function within<T>(work: Promise<T>, ms: number, clock: Clock): Promise<{ readonly value: T } | null> {
  const ended = new AbortController();
  const late = clock.sleep(ms, ended.signal).then(
    () => null,
    () => null,
  );
  try {
    return await Promise.race([work.then((value) => ({ value })), late]);
  } finally {
    ended.abort();
  }
}

/** A handle that is given up has nothing left to lose: whatever closing says, the next one is a fresh file. */
function ignoreClosing(): undefined {
  return undefined;
}

/** What drivers of the kernel report for a byte without acknowledge (Documentation/i2c/fault-codes.rst); it differs from one to the next. */
const NACK_ERRNOS = ['ENXIO', 'EREMOTEIO', 'EIO'];
const HUNG_ERRNOS = ['ETIMEDOUT', 'EAGAIN', 'EBUSY'];

interface SystemError {
  readonly code?: unknown;
  readonly syscall?: unknown;
}

function errnoOf(cause: unknown): string {
  return String((cause as SystemError | null)?.code ?? '');
}

/** After anything else the handle is opened anew: the adapter may have gone, or the file may not have got its address. */
function isPlainNack(cause: unknown): boolean {
  return NACK_ERRNOS.includes(errnoOf(cause));
}

/** How an error of the package is told: `bus-hung` where the lines or the adapter are stuck, `bus-no-answer` for everything else. */
export function transactionError(cause: unknown, where: string, address: number): AppError {
  const errno = errnoOf(cause);
  const place = placeOf(where, address);
  if ((cause as SystemError | null)?.syscall === 'setAddr') {
    return new AppError('bus-no-answer', 'a driver of the kernel holds this address', {
      where: place,
      hint: 'Take the chip out of the device tree (dtoverlay in config.txt), or unload its module: `ls /sys/bus/i2c/devices` shows it.',
      cause,
    });
  }
  const [code, what] = HUNG_ERRNOS.includes(errno)
    ? (['bus-hung', 'the bus is stuck'] as const)
    : (['bus-no-answer', 'the chip does not answer'] as const);
  return new AppError(code, `${what}: ${said(cause)}`, { where: place, cause });
}

function said(cause: unknown): string {
  return errnoOf(cause) || String(cause);
}

function missingBus(number: number, cause: unknown, buses: readonly I2cBusName[]): AppError {
  const where = deviceFile(number);
  const errno = errnoOf(cause);
  if (errno === 'EACCES' || errno === 'EPERM') {
    const hint = 'Put the user into the group i2c (`sudo usermod -aG i2c USER`) and log in again.';
    return new AppError('bus-missing', 'no permission for the I2C bus', { where, hint, cause });
  }
  if (buses.length === 0) {
    const hint =
      'Enable I2C: on a Raspberry Pi `sudo raspi-config nonint do_i2c 0`, elsewhere load the module i2c-dev (`sudo modprobe i2c-dev`).';
    return new AppError('bus-missing', 'this machine shows no I2C bus', { where, hint, cause });
  }
  const names = buses.map((bus) => `${bus.number} (${bus.name})`).join(', ');
  if (buses.some((bus) => bus.number === number)) {
    return new AppError('bus-missing', `the I2C bus cannot be opened: ${errno}`, { where, cause });
  }
  return new AppError('bus-missing', `there is no I2C bus ${number}`, { where, hint: `There are: ${names}.`, cause });
}

function deviceFile(number: number): string {
  return `/dev/i2c-${number}`;
}

function placeOf(where: string, address: number): string {
  return `${where}, address 0x${address.toString(16)}`;
}

async function loadPackage(): Promise<I2cBusModule> {
  return await import('i2c-bus');
}

export interface I2cBusName {
  readonly number: number;
  /** The adapter's, e.g. `bcm2835 (i2c@7e804000)`. */
  readonly name: string;
}

/** Every bus that a program may open, by number; none where there is no I2C. */
export async function listI2cBuses(sysfs = '/sys'): Promise<readonly I2cBusName[]> {
  const folder = `${sysfs}/class/i2c-dev`;
  const entries = await readdir(folder).catch(() => []);
  const numbers = entries.flatMap((entry) => /^i2c-(\d+)$/.exec(entry)?.[1] ?? []).map(Number);
  return Promise.all(
    numbers
      .sort((a, b) => a - b)
      .map(async (number) => ({
        number,
        name: await readFile(`${folder}/i2c-${number}/name`, 'utf8').then(
          (text) => text.trim(),
          () => 'without a name',
        ),
      })),
  );
}

/** Clock of the bus from the device tree, Hz (a cell of 32 bits, most significant byte first); null where that does not say. */
export async function busSpeedHz(number: number, sysfs = '/sys'): Promise<number | null> {
  const cell = await readFile(`${sysfs}/bus/i2c/devices/i2c-${number}/of_node/clock-frequency`).catch(() => null);
  return cell?.length === 4 ? cell.readUInt32BE() : null;
}
