/**
 * A sensor's bias and scale, per axis of the chip: value = (raw − bias) · scale, and then the board's axes by the mounting.
 * Estimated at rest: the gyroscope's bias is what it says then; the accelerometer must measure gravity's length in every pose, which
 * gives its three biases and three scales from six poses that need not be exact. Gravity is taken as standard; where a board lives it
 * differs by up to 0.3 %, which goes into the scale.
 */
import { AppError } from '../../core/base/errors.ts';
import type { Mounting } from './mounting.ts';
import { GRAVITY_MPS2 } from './registers.ts';
import { solve } from './solve.ts';

export type Vector3 = readonly [number, number, number];

export interface AxisCalibration {
  /** In the modality's unit. */
  readonly bias: Vector3;
  readonly scale: Vector3;
}

export const NO_CALIBRATION: AxisCalibration = { bias: [0, 0, 0], scale: [1, 1, 1] };

/** In place. `values` is `[n, 3]`. */
export function correct(values: Float32Array, { bias, scale }: AxisCalibration, { from, sign }: Mounting): void {
  for (let at = 0; at + 2 < values.length; at += 3) {
    const x = ((values[at] as number) - bias[0]) * scale[0];
    const y = ((values[at + 1] as number) - bias[1]) * scale[1];
    const z = ((values[at + 2] as number) - bias[2]) * scale[2];
    for (let axis = 0; axis < 3; axis++) {
      const source = from[axis] as number;
      values[at + axis] = (sign[axis] as number) * (source === 0 ? x : source === 1 ? y : z);
    }
  }
}

/** A board that lies still: half seconds whose means agree. In rad/s, and m/s²; a hand shakes by more. */
const STILL = { gyr: 0.02, acc: 0.15 } as const;
/** Gyroscopes are off by up to ± 75 °/s by their datasheets (L3GD20H at ± 2000 °/s). */
export const MOST_GYR_BIAS_RADPS = 1.4;
export const MOST_ACC_BIAS_MPS2 = 4;
export const SCALE_LIMITS = [0.8, 1.25] as const;

/** Means of the consecutive stretches of `perStretch` samples in `values`, `[n, 3]`; a rest that is shorter is left out. */
export function stretchMeans(values: Float32Array, perStretch: number): Vector3[] {
  const means: Vector3[] = [];
  for (let from = 0; from + perStretch <= values.length / 3; from += perStretch) {
    const sum: [number, number, number] = [0, 0, 0];
    for (let i = from; i < from + perStretch; i++) {
      for (let c = 0; c < 3; c++) sum[c] = (sum[c] as number) + (values[3 * i + c] as number);
    }
    means.push([sum[0] / perStretch, sum[1] / perStretch, sum[2] / perStretch]);
  }
  return means;
}

/** Whether the board lay still: no axis' means differ by more than noise does. */
export function isStill(means: readonly Vector3[], kind: 'acc' | 'gyr'): boolean {
  return [0, 1, 2].every((axis) => {
    const ofAxis = means.map((mean) => mean[axis] as number);
    return Math.max(...ofAxis) - Math.min(...ofAxis) <= STILL[kind];
  });
}

/** Bias of a gyroscope that lay still. Null: it moved, or says more than any gyroscope's bias. */
export function gyroscopeCalibration(means: readonly Vector3[]): AxisCalibration | null {
  if (means.length === 0 || !isStill(means, 'gyr')) return null;
  const bias = [0, 1, 2].map((axis) => means.reduce((sum, mean) => sum + (mean[axis] as number), 0) / means.length);
  if (bias.some((value) => Math.abs(value) > MOST_GYR_BIAS_RADPS)) return null;
  return { bias: bias as unknown as Vector3, scale: [1, 1, 1] };
}

/** Which axis of the chip points up: an accelerometer at rest shows + g there. */
export type Pose = '+x' | '-x' | '+y' | '-y' | '+z' | '-z';
export const POSES: readonly Pose[] = ['+x', '-x', '+y', '-y', '+z', '-z'];

/** Of g: an axis within about 30° of the vertical. */
const UPRIGHT_SHARE = 0.85;

/** The pose that a mean at rest shows. Null: on an edge, or no gravity. */
export function poseOf(mean: Vector3): Pose | null {
  const length = Math.hypot(...mean);
  const axis = [0, 1, 2].find((at) => Math.abs(mean[at] as number) > UPRIGHT_SHARE * length);
  if (axis === undefined || length < GRAVITY_MPS2 / 2) return null;
  return `${(mean[axis] as number) > 0 ? '+' : '-'}${'xyz'[axis]}` as Pose;
}

export function missingPoses(means: readonly Vector3[]): Pose[] {
  const seen = new Set(means.map(poseOf));
  return POSES.filter((pose) => !seen.has(pose));
}

export interface AccelerometerCalibration extends AxisCalibration {
  /** Root mean square of |calibrated| − g over the means, m/s². */
  readonly residualMps2: number;
}

/**
 * From means at rest in all six poses, in any order, some more often than others.
 * Σ A·m² + B·m = 1 over the axes is linear in the six unknowns; then bias = −B / 2A, and scale = g·√(A / (1 + Σ A·bias²)).
 * @throws AppError `usage` naming the poses that are missing, or `data-format` when no calibration explains the means
 */
export function accelerometerCalibration(means: readonly Vector3[]): AccelerometerCalibration {
  const missing = missingPoses(means);
  if (missing.length > 0)
    throw new AppError('usage', `poses are missing: ${missing.join(' ')}`, { where: 'calibration' });
  const rows = means.map(([x, y, z]) => [x * x, y * y, z * z, x, y, z]);
  const sumOf = (term: (row: readonly number[]) => number) => rows.reduce((sum, row) => sum + term(row), 0);
  const unknowns = [0, 1, 2, 3, 4, 5];
  const normal = unknowns.map((i) => unknowns.map((j) => sumOf((row) => (row[i] as number) * (row[j] as number))));
  const solution = solve(
    normal,
    unknowns.map((i) => sumOf((row) => row[i] as number)),
  );
  const [a, b] = [solution.slice(0, 3), solution.slice(3)];
  const bias = a.map((value, axis) => -(b[axis] as number) / (2 * value)) as unknown as Vector3;
  const length = 1 + a.reduce((sum, value, axis) => sum + value * (bias[axis] as number) ** 2, 0);
  const scale = a.map((value) => GRAVITY_MPS2 * Math.sqrt(value / length)) as unknown as Vector3;
  if (!isPlausible({ bias, scale }, MOST_ACC_BIAS_MPS2)) {
    throw new AppError('data-format', 'no bias and scale make these poses gravity', {
      where: 'calibration',
      hint: 'lay the board down in each pose and take your hands off; check accRangeG and the chip',
    });
  }
  const errors = means.map((mean) => {
    const at = mean.map((value, axis) => (value - (bias[axis] as number)) * (scale[axis] as number));
    return Math.hypot(...at) - GRAVITY_MPS2;
  });
  const residualMps2 = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
  return { bias, scale, residualMps2 };
}

/** Whether a sensor could need this. NaN is not. */
export function isPlausible({ bias, scale }: AxisCalibration, mostBias: number): boolean {
  const [least, most] = SCALE_LIMITS;
  return bias.every((value) => Math.abs(value) <= mostBias) && scale.every((value) => value >= least && value <= most);
}
