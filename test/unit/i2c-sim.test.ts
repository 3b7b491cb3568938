/** The simulated bus and lines: faults that come and go while they run, time on the injected clock, interrupt pins. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSimulatedGpio, wirePin } from '../../agent/hw/gpio-sim.ts';
import { createSimulatedBus, simulatedI2c } from '../../agent/hw/i2c-sim.ts';
import type { SimulatedChip } from '../../agent/hw/sim/simulated-chip.ts';
import { createWires } from '../../agent/hw/sim/wires.ts';
import { AppError, type ErrorCode } from '../../core/base/errors.ts';
import { createRng } from '../../core/math/rng.ts';
import { failsWith } from '../contract/i2c-bus.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';
import { createRegisterFileChip, IDENTITY, PIN, WHO_AM_I } from '../fixtures/register-file-chip.ts';

const ADDRESS = 0x42;

function setUp({ speedHz = 0, chips = [createRegisterFileChip(ADDRESS)] as readonly SimulatedChip[] } = {}) {
  const clock = createManualClock();
  const wires = createWires({ chips, nowUs: () => clock.nowMs() * 1000, random: createRng('wires').next });
  return { clock, wires, bus: createSimulatedBus({ wires, clock, speedHz }) };
}

async function codeOf(call: Promise<unknown>): Promise<ErrorCode | null> {
  return call.then(
    () => null,
    (error: unknown) => (error instanceof AppError ? error.code : assert.fail(String(error))),
  );
}

test('a share of the messages is not acknowledged, the same ones with the same seed', async () => {
  const run = async () => {
    const { wires, bus } = setUp();
    wires.nackShare = 0.2;
    const codes: (ErrorCode | null)[] = [];
    for (let i = 0; i < 500; i++) codes.push(await codeOf(bus.write(ADDRESS, 0, [i & 0xff])));
    wires.nackShare = 0;
    assert.equal(await codeOf(bus.write(ADDRESS, 0, [0])), null);
    return codes;
  };
  const codes = await run();
  const lost = codes.filter((code) => code === 'bus-no-answer').length;
  assert.ok(lost > 70 && lost < 130, `${lost} of 500`);
  assert.equal(codes.filter((code) => code !== null).length, lost);
  assert.deepEqual(await run(), codes);
});

test('a stuck bus takes its timeout for every call and is free after so many recoveries', async () => {
  const { clock, wires, bus } = setUp();
  wires.hang(2);
  for (let recovery = 1; recovery <= 2; recovery++) {
    let ended = false;
    const call = codeOf(bus.read(ADDRESS, WHO_AM_I, 1)).finally(() => {
      ended = true;
    });
    await clock.advance(999);
    assert.equal(ended, false);
    await clock.advance(1);
    assert.equal(await call, 'bus-hung');
    await bus.recover();
  }
  assert.deepEqual([...(await bus.read(ADDRESS, WHO_AM_I, 1))], [IDENTITY]);
});

test('a bus that is stuck for good stays so', async () => {
  const { clock, wires, bus } = setUp();
  wires.hang(Number.POSITIVE_INFINITY);
  for (let i = 0; i < 5; i++) await bus.recover();
  const call = codeOf(bus.write(ADDRESS, 0, [1]));
  await clock.advance(1000);
  assert.equal(await call, 'bus-hung');
});

test('a 14-byte read at 400 kHz takes 156 bit times, and the chip is looked at half-way', async () => {
  const seenUs: number[] = [];
  const chip = createRegisterFileChip(ADDRESS);
  const watched: SimulatedChip = {
    ...chip,
    read(length, nowUs) {
      seenUs.push(nowUs);
      return chip.read(length, nowUs);
    },
  };
  const { clock, bus } = setUp({ speedHz: 400_000, chips: [watched] });
  let endedMs = Number.NaN;
  const call = bus.read(ADDRESS, 0, 14).then(() => {
    endedMs = clock.nowMs();
  });
  await clock.advance(1);
  await call;
  assert.equal(endedMs, 0.39);
  assert.deepEqual(seenUs, [195]);
  const write = bus.write(ADDRESS, 0, [1]).then(() => {
    endedMs = clock.nowMs();
  });
  await clock.advance(1);
  await write;
  assert.ok(Math.abs(endedMs - 1.0725) < 1e-9, `${endedMs}`); // 3 bytes and 2 bits are 29 bits
});

test('a part brings its second address, gone while the part is unplugged or keeps it to itself', async () => {
  let isBypassed = false;
  const inner: SimulatedChip = { ...createRegisterFileChip(0x0c), answers: () => isBypassed };
  const outer: SimulatedChip = { ...createRegisterFileChip(ADDRESS), companions: [inner] };
  const { wires, bus } = setUp({ chips: [outer] });
  assert.equal(await codeOf(bus.read(0x0c, WHO_AM_I, 1)), 'bus-no-answer');
  isBypassed = true;
  assert.equal(await codeOf(bus.read(0x0c, WHO_AM_I, 1)), null);
  wires.unplug(ADDRESS);
  assert.equal(await codeOf(bus.read(0x0c, WHO_AM_I, 1)), 'bus-no-answer');
  wires.plugIn(ADDRESS);
  assert.equal(await codeOf(bus.read(0x0c, WHO_AM_I, 1)), null);
});

test('buses are opened by number; another number is told what there is', async () => {
  const { wires, clock } = setUp();
  const open = simulatedI2c(new Map([[1, wires]]), { clock });
  assert.deepEqual([...(await (await open(1)).read(ADDRESS, WHO_AM_I, 1))], [IDENTITY]);
  await assert.rejects(open(2), failsWith('bus-missing'));
});

test('two chips at one address are refused', () => {
  const chips = [createRegisterFileChip(ADDRESS), createRegisterFileChip(ADDRESS)];
  assert.throws(() => setUp({ chips }), failsWith('internal'));
});

test("a chip's pin moves its line by what is written, and falls when the chip is unplugged", async () => {
  const { clock, wires, bus } = setUp();
  const gpio = createSimulatedGpio();
  const ended = new AbortController();
  wirePin({ gpio, line: 4, wires, address: ADDRESS, clock }, ended.signal);
  const told: number[] = [];
  const input = await gpio.input(4, 'both');
  input.watch((level) => told.push(level));
  await bus.write(ADDRESS, PIN, [1]);
  assert.equal(gpio.level(4), 1);
  await bus.write(ADDRESS, PIN, [0]);
  await bus.write(ADDRESS, PIN, [1]);
  wires.unplug(ADDRESS);
  assert.equal(gpio.level(4), 0);
  wires.plugIn(ADDRESS);
  ended.abort();
  await bus.write(ADDRESS, PIN, [1]);
  assert.equal(gpio.level(4), 0);
  assert.deepEqual(told, [1, 0, 1, 0]);
});

/** Its pin rises for `widthUs` every 10 ms. */
function pulsingChip(widthUs: number): SimulatedChip {
  return {
    ...createRegisterFileChip(ADDRESS),
    interrupt(nowUs) {
      const phaseUs = nowUs % 10_000;
      const level = nowUs >= 10_000 && phaseUs < widthUs ? 1 : 0;
      return { level, nextUs: level === 1 ? nowUs - phaseUs + widthUs : nowUs - phaseUs + 10_000 };
    },
  };
}

test('a pin that moves by itself moves its line on the injected clock', async () => {
  const { clock, wires } = setUp({ chips: [pulsingChip(2000)] });
  const gpio = createSimulatedGpio();
  const ended = new AbortController();
  wirePin({ gpio, line: 4, wires, address: ADDRESS, clock }, ended.signal);
  const rises: number[] = [];
  (await gpio.input(4, 'rising')).watch(() => rises.push(clock.nowMs()));
  await clock.advance(45);
  assert.deepEqual(rises, [10, 20, 30, 40]);
  ended.abort();
  await clock.advance(20);
  assert.equal(rises.length, 4);
});

test('transactions while a pin waits leave no waiting behind', async () => {
  let asked = 0;
  const pulsing = pulsingChip(2000);
  const counted: SimulatedChip = {
    ...pulsing,
    interrupt(nowUs) {
      asked++;
      return pulsing.interrupt(nowUs);
    },
  };
  const { clock, wires, bus } = setUp({ chips: [counted] });
  const gpio = createSimulatedGpio();
  wirePin({ gpio, line: 4, wires, address: ADDRESS, clock }, new AbortController().signal);
  for (let i = 0; i < 50; i++) await bus.read(ADDRESS, 0, 1);
  asked = 0;
  await clock.advance(12);
  assert.equal(asked, 2); // up at 10 ms, down at 12
});

test('a watcher that ends before it could be told is not told', async () => {
  const gpio = createSimulatedGpio();
  const told: number[] = [];
  const end = (await gpio.input(4, 'both')).watch((level) => told.push(level));
  gpio.drive(4, 1);
  end();
  await Promise.resolve();
  assert.deepEqual(told, []);
});

test('a pulse that is over before anybody looks is lost, as with onoff', async () => {
  const gpio = createSimulatedGpio();
  const told: number[] = [];
  (await gpio.input(4, 'rising')).watch((level) => told.push(level));
  gpio.drive(4, 1);
  gpio.drive(4, 0);
  await Promise.resolve();
  assert.deepEqual(told, []);
  gpio.drive(4, 1);
  await Promise.resolve();
  assert.deepEqual(told, [1]);
  for (const level of [0, 1, 0, 1] as const) gpio.drive(4, level);
  await Promise.resolve();
  assert.deepEqual(told, [1, 1], 'edges that come together are told once');
});
