/**
 * The steps of a calibration with a person who turns the board: gyroscope at rest, then the accelerometer's six poses in any order.
 * Nothing is taken while the board moves, and what is missing is said. Nothing is stored here.
 */
import type { Clock } from '../../core/base/clock.ts';
import { AppError } from '../../core/base/errors.ts';
import {
  accelerometerCalibration,
  gyroscopeCalibration,
  isStill,
  missingPoses,
  poseOf,
  stretchMeans,
  type Vector3,
} from './calibration.ts';
import type { ChipCalibration, ModalityCalibration } from './calibration-file.ts';
import type { Chip } from './chip.ts';

export interface CalibratePrompts {
  /** Shows a line. */
  tell(text: string): void;
  /** Shows `text` and resolves when the person has done so. */
  ask(text: string): Promise<void>;
}

export interface CalibrateParts {
  readonly chip: Chip;
  readonly prompts: CalibratePrompts;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const LISTEN_MS = 3000;
const STRETCH_SECONDS = 0.5;
/** A person who has not got it right by then needs something else than another try. */
const MOST_TRIES = 30;
const MOST_GYR_TRIES = 5;

/**
 * Sets the chip up and calibrates the modalities `acc` and `gyr` that it has. The chip is left asleep.
 * @throws AppError `timeout` when the board never lies still or poses stay missing; the bus's errors; `chip-unknown`
 */
export async function calibrateChip(parts: CalibrateParts): Promise<ChipCalibration> {
  const { chip, clock, prompts } = parts;
  await chip.identify();
  await chip.configure();
  try {
    const modalities: Record<string, ModalityCalibration> = {};
    if (indexOf(chip, 'gyr') >= 0) modalities['gyr'] = await calibrateGyroscope(parts);
    if (indexOf(chip, 'acc') >= 0) modalities['acc'] = await calibrateAccelerometer(parts);
    prompts.tell('done');
    const temperatureC = await chip.temperature();
    return { date: new Date(clock.wallMs()).toISOString(), temperatureC, modalities };
  } finally {
    await chip.sleep().catch(() => undefined); // what failed before is the error worth telling
  }
}

async function calibrateGyroscope(parts: CalibrateParts): Promise<ModalityCalibration> {
  for (let attempt = 0; attempt < MOST_GYR_TRIES; attempt++) {
    await parts.prompts.ask('Lay the board on something that does not shake, and take your hands off.');
    const found = gyroscopeCalibration(await listen(parts, 'gyr'));
    if (found !== null) return found;
    parts.prompts.tell('It moved (or turns all the time): once more.');
  }
  throw new AppError('timeout', 'the gyroscope never was at rest', { where: parts.chip.name });
}

async function calibrateAccelerometer(parts: CalibrateParts): Promise<ModalityCalibration> {
  const taken: Vector3[] = [];
  for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
    const missing = missingPoses(taken);
    if (missing.length === 0) return accelerometerCalibration(taken);
    await parts.prompts.ask(`Turn the board so that one of these axes of the chip points up: ${missing.join(' ')}`);
    const means = await listen(parts, 'acc');
    const pose = means[0] === undefined ? null : poseOf(means[0]);
    if (pose === null) parts.prompts.tell('That is none of the six: an axis must point up.');
    else if (!isStill(means, 'acc')) parts.prompts.tell('It moved: once more.');
    else if (!missing.includes(pose)) parts.prompts.tell(`${pose} is taken already.`);
    else {
      taken.push(...means);
      parts.prompts.tell(`${pose} taken.`);
    }
  }
  throw new AppError('timeout', `poses are still missing: ${missingPoses(taken).join(' ')}`, {
    where: parts.chip.name,
  });
}

/** Means of half seconds while the board lies. What was measured before, on the way there, is thrown away. */
async function listen({ chip, clock, signal }: CalibrateParts, name: string): Promise<Vector3[]> {
  const index = indexOf(chip, name);
  const rateHz = chip.modalities[index]?.sampleRateHz ?? 1;
  const pauseMs = chip.fifoSeconds === 0 ? 500 / rateHz : Math.min(100, 250 * chip.fifoSeconds);
  await chip.configure();
  const values: number[] = [];
  for (const endMs = clock.nowMs() + LISTEN_MS; clock.nowMs() < endMs; ) {
    await clock.sleep(pauseMs, signal);
    const burst = await chip.read();
    for (const value of burst.values[index] ?? []) values.push(value);
  }
  return stretchMeans(Float32Array.from(values), Math.max(1, Math.round(STRETCH_SECONDS * rateHz)));
}

function indexOf(chip: Chip, name: string): number {
  return chip.modalities.findIndex((modality) => modality.name === name);
}
