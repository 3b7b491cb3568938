/**
 * What every chip's driver owes the sampler, as one suite over all chips of the registry. It sees a bus with the chip on it, moved by
 * `sawMotion`; whether that bus is the simulator or a real kernel's is the rig's business.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { I2cBus } from '../../agent/hw/i2c.ts';
import type { Burst, Chip, ChipSettings } from '../../agent/sensors/chip.ts';
import { CHIPS, type ChipEntry, type ChipName } from '../../agent/sensors/registry.ts';
import { AppError } from '../../core/base/errors.ts';
import { phaseAt, restMotion, SAW_US, SAWS, TEMPERATURE_C } from './chip-motion.ts';

export interface ChipRig {
  readonly bus: I2cBus;
  /** Stream time, microseconds. */
  nowUs(): number;
  sleep(ms: number): Promise<void>;
  /** Takes the chip's power away and gives it back. */
  powerCycle(): Promise<void>;
  /** Samples that it has measured since power-up. */
  measured(): Promise<number>;
  /** Level of the interrupt pin. */
  interruptLevel(): Promise<0 | 1>;
  /** True when the motion runs on the clock of `nowUs`. */
  readonly isOnItsClock: boolean;
  close(): Promise<void>;
}

/** A rig with one chip at `address`, just powered, without noise, moved by `sawMotion` or `restMotion`. */
export type OpenChipRig = (name: ChipName, address: number, motion: 'saw' | 'rest') => Promise<ChipRig>;

const SETTINGS = { rateHz: 100, accRangeG: 4, gyrRangeDps: 500, fifo: true, dataReady: false } as const;

export function testChips(where: string, open: OpenChipRig, names: readonly ChipName[]): void {
  for (const name of names) describe(`${name} on ${where}`, () => testChip(name, open));
}

function testChip(name: ChipName, open: OpenChipRig): void {
  /** @param wrap what stands between the driver and the bus */
  async function withChip(
    work: (chip: Chip, rig: ChipRig) => Promise<void>,
    changed: Partial<ChipSettings> = {},
    wrap: (bus: I2cBus) => I2cBus = (bus) => bus,
    motion: 'saw' | 'rest' = 'saw',
  ): Promise<void> {
    const { address, load } = CHIPS[name];
    const rig = await open(name, address, motion);
    try {
      const create = await load();
      const settings = { ...SETTINGS, address, ...changed };
      await work(create({ bus: wrap(rig.bus), settings, nowUs: rig.nowUs, sleep: (ms) => rig.sleep(ms) }), rig);
    } finally {
      await rig.close();
    }
  }

  test('says which part it is, without a warning', () =>
    withChip(async (chip) => {
      const identity = await chip.identify();
      assert.equal(identity.warning, undefined);
      assert.notEqual(identity.part, '');
    }));

  for (const rateHz of [50, 100, 400]) {
    test(`brings every sample once and in order, asked for ${rateHz} Hz`, () =>
      withChip(
        async (chip, rig) => {
          await start(chip);
          const seen = new Track(chip, rig);
          const pausesMs = pausesFor(chip);
          for (let read = 0; read < 30; read++) {
            await rig.sleep(pausesMs[read % pausesMs.length] ?? 1);
            seen.take(await chip.read());
          }
          seen.checkWhole();
        },
        { rateHz },
      ));
  }

  test('without its FIFO brings every sample once, however often it is asked', () =>
    withChip(
      async (chip, rig) => {
        await start(chip);
        assert.equal(chip.fifoSeconds, 0);
        const seen = new Track(chip, rig);
        for (let read = 0; read < 200; read++) {
          await rig.sleep(2.3);
          seen.take(await chip.read());
        }
        seen.checkWhole();
      },
      { fifo: false },
    ));

  test('marks what an overflow has lost, and is aligned afterwards', () =>
    withChip(async (chip, rig) => {
      await start(chip);
      if (chip.fifoSeconds === 0) return;
      const seen = new Track(chip, rig);
      for (let round = 0; round < 3; round++) {
        await rig.sleep(1000 * chip.fifoSeconds * (2.3 + round / 7)); // relatives of a part may hold twice as much
        let hasOverflowed = false;
        for (let read = 0; read < 20; read++) {
          const burst = await chip.read();
          hasOverflowed ||= burst.overflowed;
          seen.take(burst);
          await rig.sleep(1000 * chip.fifoSeconds * 0.11);
        }
        assert.ok(hasOverflowed, 'the FIFO was left for longer than it lasts');
      }
      seen.checkMarked();
    }));

  test('marks what a transaction that failed halfway has lost', () => failEachTransaction());

  test('does not call lost what nobody lost', () =>
    withChip(async (chip, rig) => {
      await start(chip);
      for (let read = 0; read < 40; read++) {
        await rig.sleep(7);
        assert.equal((await chip.read()).overflowed, false);
      }
    }));

  for (const fifo of [true, false]) {
    test(`brings nothing that was measured before it was configured, ${fifo ? 'with' : 'without'} its FIFO`, () =>
      withChip(
        async (chip, rig) => {
          if (!rig.isOnItsClock) return;
          await start(chip);
          await rig.sleep(57); // samples wait, the newest measured well before
          const sinceUs = rig.nowUs();
          await chip.configure();
          const seen = new Track(chip, rig);
          for (let read = 0; read < 20; read++) {
            seen.take(await chip.read());
            await rig.sleep(3);
          }
          seen.checkSince(sinceUs);
        },
        { fifo },
      ));
  }

  test('notices that its power was gone, and comes back', () =>
    withChip(async (chip, rig) => {
      await start(chip);
      assert.equal(await chip.isConfigured(), true);
      await rig.sleep(30);
      await chip.read();
      assert.equal(await chip.isConfigured(), true);
      await rig.powerCycle();
      await rig.sleep(150);
      assert.equal(await chip.isConfigured(), false);
      await start(chip);
      assert.equal(await chip.isConfigured(), true);
      const seen = new Track(chip, rig);
      for (let read = 0; read < 30; read++) {
        await rig.sleep(chip.fifoSeconds === 0 ? 3 : 30);
        seen.take(await chip.read());
      }
      seen.checkWhole();
    }));

  test('raises its interrupt for data, and lowers it when they are read', () =>
    withChip(
      async (chip, rig) => {
        await start(chip);
        await chip.read();
        for (let round = 0; round < 3; round++) {
          await rig.sleep(55);
          assert.equal(await rig.interruptLevel(), 1, 'data wait');
          // A sample that comes while others are read raises it again, and is read the next time.
          for (let read = 0; read < 3 && (read === 0 || (await rig.interruptLevel()) === 1); read++) await chip.read();
          assert.equal(await rig.interruptLevel(), 0, 'all were read');
        }
      },
      { dataReady: true },
    ));

  test('tells its temperature, or that it cannot', () =>
    withChip(async (chip, rig) => {
      await start(chip);
      await rig.sleep(200);
      const temperature = await chip.temperature();
      if (temperature !== null) assert.ok(Math.abs(temperature - TEMPERATURE_C) < 1.5, `${temperature} °C`);
    }));

  test('passes its own test at rest, and samples again when configured', () =>
    withChip(
      async (chip, rig) => {
        await start(chip);
        const result = await chip.selfTest();
        const { hasSelfTest = true }: ChipEntry = CHIPS[name];
        if (!hasSelfTest) return assert.equal(result, null);
        assert.ok(result?.passed, JSON.stringify(result));
        await start(chip);
        await rig.sleep(50);
        const { values } = await chip.read();
        const { acc, gyr, mag } = restMotion();
        const still: Readonly<Record<string, readonly number[]>> = { acc, gyr, mag };
        for (const [modality, { name: kind }] of chip.modalities.entries()) {
          const sample = values[modality]?.slice(-3) ?? [];
          const tolerance = SAWS[kind]?.tolerance ?? 0;
          for (const [axis, value] of (still[kind] ?? []).entries()) {
            assert.ok(Math.abs((sample[axis] ?? Number.NaN) - value) <= tolerance, `${kind} ${sample}`);
          }
        }
      },
      {},
      undefined,
      'rest',
    ));

  test('measures no more when it sleeps', () =>
    withChip(async (chip, rig) => {
      await start(chip);
      await chip.sleep();
      const before = await rig.measured();
      await rig.sleep(500);
      assert.equal(await rig.measured(), before);
      await start(chip);
      await rig.sleep(100);
      assert.ok((await rig.measured()) > before);
    }));

  /** Fails the n-th transaction of a read, with half of its bytes gone from the chip, for each n until a read has no more. */
  async function failEachTransaction(): Promise<void> {
    for (let n = 1; ; n++) {
      let countdown = 0;
      let hasFailed = false;
      const wrap = (bus: I2cBus): I2cBus => ({
        ...bus,
        async read(address, register, length) {
          if (--countdown !== 0) return await bus.read(address, register, length);
          await bus.read(address, register, Math.max(1, length >> 1));
          hasFailed = true;
          throw new AppError('bus-no-answer', 'lost halfway');
        },
      });
      await withChip(
        async (chip, rig) => {
          await start(chip);
          const seen = new Track(chip, rig);
          for (let read = 0; read < 30; read++) {
            await rig.sleep(chip.fifoSeconds === 0 ? 3 : 45);
            if (read === 10) countdown = n;
            try {
              seen.take(await chip.read());
            } catch (error) {
              assert.ok(error instanceof AppError && error.code === 'bus-no-answer', String(error));
            }
            countdown = 0;
          }
          // Without a FIFO nobody can know of a sample that was missed; the sampler sees the hole in time.
          if (chip.fifoSeconds > 0) seen.checkMarked();
          else seen.checkOrdered();
        },
        {},
        wrap,
      );
      if (!hasFailed) break;
      assert.ok(n < 100, 'a read has no end');
    }
  }
}

async function start(chip: Chip): Promise<void> {
  await chip.identify();
  await chip.configure();
}

/** Irregular pauses that a FIFO bears; without one, a fraction of the sampling period. */
function pausesFor(chip: Chip): readonly number[] {
  const rateHz = Math.max(...chip.modalities.map(({ sampleRateHz }) => sampleRateHz));
  const wholeMs = chip.fifoSeconds > 0 ? Math.min(1000 * chip.fifoSeconds * 0.6, 300) : 700 / rateHz;
  return [0.2, 0.9, 0.05, 0.5, 1, 0.3].map((share) => share * wholeMs);
}

interface Step {
  readonly modality: number;
  /** Phase of the saw, [0, 1). */
  readonly phase: number;
  /** Stream time of measuring, as far as the phase tells: of the last half saw before it was known, microseconds. */
  readonly measuredUs: number;
  /** Samples before this one were said to be lost. */
  readonly afterLoss: boolean;
}

/** All samples of a run, checked on their own when they come and against one another at the end. */
class Track {
  readonly #chip: Chip;
  readonly #rig: ChipRig;
  readonly #steps: Step[] = [];
  readonly #hasLoss: boolean[];
  #lastKnownUs = Number.NEGATIVE_INFINITY;

  constructor(chip: Chip, rig: ChipRig) {
    this.#chip = chip;
    this.#rig = rig;
    this.#hasLoss = chip.modalities.map(() => false);
  }

  take({ values, knownUs, overflowed }: Burst): void {
    assert.equal(values.length, this.#chip.modalities.length);
    assert.ok(knownUs >= this.#lastKnownUs && knownUs <= this.#rig.nowUs(), 'the time of knowing');
    this.#lastKnownUs = knownUs;
    for (const [modality, samples] of values.entries()) {
      if (overflowed) this.#hasLoss[modality] = true;
      for (let at = 0; at < samples.length; at += 3) this.#takeSample(modality, samples.subarray(at, at + 3), knownUs);
      if (samples.length > 0) this.#checkAge(modality, knownUs);
    }
  }

  #takeSample(modality: number, sample: Float32Array, knownUs: number): void {
    const { height, still, tolerance } = this.#saw(modality);
    const [x = Number.NaN, y = Number.NaN, z = Number.NaN] = sample;
    const said = `${this.#chip.modalities[modality]?.name} ${x}, ${y}, ${z}`;
    assert.ok(Math.abs(y + x / 2) <= tolerance, `torn: ${said}`);
    assert.ok(Math.abs(z - still) <= tolerance, `torn: ${said}`);
    const phase = x / height + 0.5;
    const measuredUs = knownUs - wrapped(phaseAt(knownUs) - phase) * SAW_US;
    this.#steps.push({ modality, phase, measuredUs, afterLoss: this.#hasLoss[modality] ?? false });
    this.#hasLoss[modality] = false;
  }

  /** The newest sample is no older than a period (and the magnetometer's own), when its level was read. */
  #checkAge(modality: number, knownUs: number): void {
    if (!this.#rig.isOnItsClock) return;
    const { phase } = this.#steps.findLast((step) => step.modality === modality) as Step;
    const ageUs = wrapped(phaseAt(knownUs) - phase) * SAW_US;
    const slackUs = this.#slackUs(modality);
    const periodUs = 1e6 / this.#rateHz(modality);
    assert.ok(
      ageUs > -slackUs && ageUs < periodUs + slackUs + 1500,
      `${ageUs.toFixed(0)} µs old: a read brings all that waited when the level was read`,
    );
  }

  /** Everything was measured at `sinceUs` or later, and there is something. */
  checkSince(sinceUs: number): void {
    assert.notEqual(this.#steps.length, 0);
    for (const { modality, measuredUs } of this.#steps) {
      const early = sinceUs - measuredUs;
      assert.ok(
        early <= this.#slackUs(modality),
        `${this.#chip.modalities[modality]?.name}: ${early.toFixed(0)} µs before`,
      );
    }
  }

  /** Nothing lost, nothing twice. */
  checkWhole(): void {
    this.#check((step, expectedUs, slackUs) => Math.abs(step - expectedUs) <= slackUs, false);
  }

  /** Nothing twice; lost only where it was said. */
  checkMarked(): void {
    this.#check((step, expectedUs, slackUs) => Math.abs(step - expectedUs) <= slackUs, true);
  }

  /** Nothing twice, nothing backwards. */
  checkOrdered(): void {
    this.#check((step, expectedUs, slackUs) => step >= expectedUs - slackUs, true);
  }

  #check(isRight: (stepUs: number, expectedUs: number, slackUs: number) => boolean, mayLose: boolean): void {
    for (const [modality, { name }] of this.#chip.modalities.entries()) {
      const steps = this.#steps.filter((step) => step.modality === modality);
      assert.ok(steps.length >= 5, `${name}: ${steps.length} samples`);
      const expectedUs = 1e6 / this.#rateHz(modality);
      for (const [i, step] of steps.entries()) {
        const before = steps[i - 1];
        if (before === undefined) continue;
        assert.ok(mayLose || !step.afterLoss, `${name}: a loss was said`);
        const stepUs = wrapped(step.phase - before.phase) * SAW_US;
        if (step.afterLoss) continue;
        assert.ok(
          isRight(stepUs, expectedUs, this.#slackUs(modality)),
          `${name}: ${stepUs.toFixed(0)} µs from sample ${i - 1} to ${i} of ${steps.length}, not ${expectedUs.toFixed(0)}`,
        );
      }
    }
  }

  #saw(modality: number) {
    const saw = SAWS[this.#chip.modalities[modality]?.name ?? ''];
    assert.ok(saw, 'a modality that the motion has');
    return saw;
  }

  #rateHz(modality: number): number {
    return this.#chip.modalities[modality]?.sampleRateHz ?? Number.NaN;
  }

  /** Two roundings; and a magnetometer's own clock, which another chip reads at its samples. */
  #slackUs(modality: number): number {
    const { height, tolerance } = this.#saw(modality);
    const rounding = (tolerance / height) * SAW_US;
    return this.#chip.modalities[modality]?.name === 'mag' ? 12_000 + rounding : rounding;
  }
}

/** The difference of two phases, in [−0.5, 0.5). */
function wrapped(difference: number): number {
  return difference - Math.floor(difference + 0.5);
}
