/**
 * `calibration.json` in the board's state folder: what `qqr agent calibrate` found, per chip. It belongs to the parts and not to the
 * settings, so that one settings file can serve a fleet. What is in it is checked before it touches a sample.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../core/base/atomic-file.ts';
import { AppError } from '../../core/base/errors.ts';
import { type AxisCalibration, isPlausible, MOST_ACC_BIAS_MPS2, MOST_GYR_BIAS_RADPS } from './calibration.ts';

export interface ChipCalibration {
  /** Wall time, ISO 8601; wrong if the board's clock was. */
  readonly date: string;
  /** Of the chip meanwhile; null when it cannot say. Biases move with it. */
  readonly temperatureC: number | null;
  /** Per modality name. */
  readonly modalities: Readonly<Record<string, ModalityCalibration>>;
}

export interface ModalityCalibration extends AxisCalibration {
  /** Accelerometer: root mean square of |calibrated| − g over the poses. */
  readonly residualMps2?: number;
}

/** Per chip's id, e.g. `mpu6050@1:0x68`: chip, bus and address. */
export type Calibrations = Readonly<Record<string, ChipCalibration>>;

const MOST_BIAS: Readonly<Record<string, number>> = { acc: MOST_ACC_BIAS_MPS2, gyr: MOST_GYR_BIAS_RADPS };

export function calibrationPath(stateDir: string): string {
  return join(stateDir, 'calibration.json');
}

/** What is stored; nothing where there is no file. @throws AppError `config-invalid` naming file and key, or `input-missing` */
export async function loadCalibrations(stateDir: string): Promise<Calibrations> {
  const path = calibrationPath(stateDir);
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return null;
    throw new AppError('input-missing', `cannot read the calibration: ${cause.message}`, { where: path, cause });
  });
  return text === null ? {} : parseCalibrations(text, path);
}

/** Puts in one chip's and leaves the others'. @throws as `loadCalibrations`, or AppError `output-failed` */
export async function storeCalibration(stateDir: string, id: string, calibration: ChipCalibration): Promise<void> {
  const all = { ...(await loadCalibrations(stateDir)), [id]: calibration };
  await writeFileAtomic(calibrationPath(stateDir), `${JSON.stringify(all, null, 2)}\n`);
}

/** @param where the file, for messages */
export function parseCalibrations(text: string, where: string): Calibrations {
  const fail = (key: string, what: string): never => {
    throw new AppError('config-invalid', `${key}: ${what}`, {
      where,
      hint: 'calibrate again with qqr agent calibrate, or remove the file to go without',
    });
  };
  const chips = entries(parseJson(text) ?? fail('(file)', 'not JSON'));
  if (chips === null) return fail('(file)', 'not an object');
  for (const [id, chip] of chips) {
    const fields = new Map(entries(chip) ?? fail(id, 'not an object'));
    const temperature = fields.get('temperatureC');
    if (typeof fields.get('date') !== 'string') fail(`${id}.date`, 'not a text');
    if (temperature !== null && typeof temperature !== 'number') fail(`${id}.temperatureC`, 'not a number or null');
    const modalities = entries(fields.get('modalities')) ?? fail(`${id}.modalities`, 'not an object');
    for (const [name, modality] of modalities) {
      const key = `${id}.modalities.${name}`;
      const most = MOST_BIAS[name] ?? fail(key, `only ${Object.keys(MOST_BIAS).join(' and ')} are calibrated`);
      const values = new Map(entries(modality) ?? fail(key, 'not an object'));
      const [bias, scale] = [values.get('bias'), values.get('scale')];
      if (!isVector(bias)) return fail(`${key}.bias`, 'not three numbers');
      if (!isVector(scale)) return fail(`${key}.scale`, 'not three numbers');
      if (!isPlausible({ bias, scale }, most)) fail(key, `no sensor needs this: |bias| ≤ ${most}, scale 0.8 to 1.25`);
    }
  }
  return JSON.parse(text) as Calibrations;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function entries(value: unknown): [string, unknown][] | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : null;
}

function isVector(value: unknown): value is [number, number, number] {
  return Array.isArray(value) && value.length === 3 && value.every((item) => typeof item === 'number');
}
