/** What every I2C bus promises (agent/hw/i2c.ts), over a chip of test/fixtures/register-file-chip.ts that is on it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { I2cBus } from '../../agent/hw/i2c.ts';
import { AppError, type ErrorCode } from '../../core/base/errors.ts';
import { FIFO, fifoBytes, IDENTITY, WHO_AM_I } from '../fixtures/register-file-chip.ts';

export interface BusUnderTest {
  readonly bus: I2cBus;
  /** Address of the register-file chip. */
  readonly address: number;
  /** An address that nobody answers at. */
  readonly absent: number;
  unplug(): Promise<void>;
  /** The chip comes back as after power-on. */
  plugIn(): Promise<void>;
  /** From now on transactions do not end, or end in the adapter's own timeout. */
  hang(): Promise<void>;
  /** Ends `hang` from outside; the bus may need `recover()` to notice. */
  free(): Promise<void>;
  close(): Promise<void>;
}

const LIMIT = { timeout: 30_000 };

export function failsWith(code: ErrorCode): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof AppError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  };
}

export function i2cBusContract(name: string, open: () => Promise<BusUnderTest>): void {
  describe(`I2C bus contract: ${name}`, () => {
    let under: BusUnderTest;
    let bus: I2cBus;
    let address: number;
    before(async () => {
      under = await open();
      ({ bus, address } = under);
    });
    after(() => under.close());

    test('what is written into registers is read from them', LIMIT, async () => {
      await bus.write(address, 0x10, [1, 2, 3, 255]);
      await bus.write(address, 0x12, [9]);
      assert.deepEqual([...(await bus.read(address, 0x10, 4))], [1, 2, 9, 255]);
      assert.deepEqual([...(await bus.read(address, 0x11, 1))], [2]);
    });

    test('a write without bytes sets the register only', LIMIT, async () => {
      await bus.write(address, 0x18, [7]);
      await bus.write(address, 0x18, []);
      assert.deepEqual([...(await bus.read(address, 0x18, 1))], [7]);
    });

    test('reads of any length go on from register to register', LIMIT, async () => {
      const values = Array.from({ length: 64 }, (_, i) => 200 - i);
      await bus.write(address, 0x20, values);
      for (const length of [1, 2, 31, 32, 33, 64]) {
        assert.deepEqual([...(await bus.read(address, 0x20, length))], values.slice(0, length), `${length} bytes`);
      }
    });

    test('a FIFO is read in bursts of any length, no byte lost and none twice', LIMIT, async () => {
      await bus.write(address, FIFO, [0]);
      let count = 0;
      for (const length of [6, 32, 33, 240, 1020, 4096, 12]) {
        assert.deepEqual(await bus.read(address, FIFO, length), fifoBytes(count, length), `${length} bytes`);
        count += length;
      }
    });

    test('calls that are not waited for run in their order', LIMIT, async () => {
      const reads: Promise<Uint8Array>[] = [];
      for (let i = 0; i < 40; i++) {
        reads.push(bus.write(address, 0x30, [i]).then(() => new Uint8Array()));
        reads.push(bus.read(address, 0x30, 1));
      }
      const got = (await Promise.all(reads)).flatMap((bytes) => [...bytes]);
      assert.deepEqual(got, [...Array(40).keys()]);
    });

    test("what was read is the caller's", LIMIT, async () => {
      await bus.write(address, 0x40, [5]);
      const first = await bus.read(address, 0x40, 1);
      first[0] = 77;
      assert.deepEqual([...(await bus.read(address, 0x40, 1))], [5]);
      assert.equal(first[0], 77);
    });

    test('an address without a chip does not answer, and the others still do', LIMIT, async () => {
      await assert.rejects(bus.read(under.absent, 0, 1), failsWith('bus-no-answer'));
      await assert.rejects(bus.read(under.absent, 0, 40), failsWith('bus-no-answer'));
      await assert.rejects(bus.write(under.absent, 0, [1]), failsWith('bus-no-answer'));
      assert.deepEqual([...(await bus.read(address, WHO_AM_I, 1))], [IDENTITY]);
    });

    test('an unplugged chip does not answer; plugged in, it is back at its defaults', LIMIT, async () => {
      await bus.write(address, WHO_AM_I, [1]);
      await under.unplug();
      await assert.rejects(bus.read(address, WHO_AM_I, 1), failsWith('bus-no-answer'));
      await under.plugIn();
      assert.deepEqual([...(await bus.read(address, WHO_AM_I, 1))], [IDENTITY]);
    });

    test('a hung bus ends every call with an error, and works again after its recovery', LIMIT, async () => {
      await bus.write(address, 0x50, [8]);
      await under.hang();
      const calls = [bus.read(address, 0x50, 1), bus.read(address, 0x50, 40), bus.write(address, 0x51, [1])];
      for (const call of calls) call.catch(() => undefined); // they are looked at one after the other
      for (const call of calls) await assert.rejects(call, failsWith('bus-hung'));
      await under.free();
      await bus.recover();
      assert.deepEqual([...(await bus.read(address, 0x50, 1))], [8]);
    });

    test('a recovery that nobody needed changes nothing', LIMIT, async () => {
      await bus.write(address, 0x60, [4]);
      await bus.recover();
      assert.deepEqual([...(await bus.read(address, 0x60, 1))], [4]);
    });

    test('a closed bus ends what was asked for and answers no more', LIMIT, async () => {
      const last = bus.read(address, WHO_AM_I, 1);
      await bus.close();
      assert.deepEqual([...(await last)], [IDENTITY]);
      await assert.rejects(bus.read(address, WHO_AM_I, 1), failsWith('bus-no-answer'));
      await bus.close();
    });
  });
}
