/**
 * What InvenSense's self-tests come to. Response = output with the test on minus output with it off, at ± 250 °/s and, by part, ± 8 or
 * ± 2 g; each axis is compared with what the factory measured and burnt into the chip.
 * MPU-6050 (RM-MPU-6000A rev. 4.2, self-test registers; PS-MPU-6000A, range of the change from factory trim):
 * trim FT of 5 bits, |response − FT| ≤ 14 % of FT.
 * MPU-6500 and later (AN-MPU-9250A-03; the same rule in the maker's ICM-20948 driver): trim 2620 · 1.01^(code − 1),
 * response at least half of it, of the accelerometer at most one and a half; without a trim absolute limits.
 */
import type { SelfTest } from './chip.ts';
import { type Allowed, judged } from './self-test.ts';

/** Change of each axis x, y, z by the test, LSB. */
export interface Response {
  readonly acc: readonly number[];
  readonly gyr: readonly number[];
}

const AXES = ['x', 'y', 'z'];
const MPU6050_ALLOWED: Allowed = { least: -0.14, most: 0.14 };
const ACC_RATIO: Allowed = { least: 0.5, most: 1.5 };
const GYR_RATIO: Allowed = { least: 0.5, most: Number.POSITIVE_INFINITY };
/** g */
const ACC_UNTRIMMED: Allowed = { least: 0.225, most: 0.675 };
/** °/s */
const GYR_UNTRIMMED: Allowed = { least: 60, most: Number.POSITIVE_INFINITY };

/**
 * @param codes registers SELF_TEST_X, _Y, _Z, _A (0x0D to 0x10)
 * @returns relative deviations from the trim; null when a trim is missing, as in clones: there is nothing to compare with
 */
export function judgeMpu6050(codes: Uint8Array, response: Response): SelfTest | null {
  const [x = 0, y = 0, z = 0, a = 0] = codes;
  const accCodes = [
    ((x >> 3) & 0x1c) | ((a >> 4) & 3),
    ((y >> 3) & 0x1c) | ((a >> 2) & 3),
    ((z >> 3) & 0x1c) | (a & 3),
  ];
  const gyrCodes = [x & 0x1f, y & 0x1f, z & 0x1f];
  if ([...accCodes, ...gyrCodes].includes(0)) return null;
  const accTrims = accCodes.map((code) => 4096 * 0.34 * (0.92 / 0.34) ** ((code - 1) / 30));
  const gyrTrims = gyrCodes.map((code, axis) => (axis === 1 ? -25 : 25) * 131 * 1.046 ** (code - 1));
  const deviation = (change: number, trim: number) => (change - trim) / trim;
  return judged([
    ...rows('acc', response.acc, accTrims, deviation, MPU6050_ALLOWED),
    ...rows('gyr', response.gyr, gyrTrims, deviation, MPU6050_ALLOWED),
  ]);
}

/**
 * @param codes factory's codes of the axes x, y, z
 * @param response at ± 2 g and ± 250 °/s
 * @returns ratios to the trim; where a sensor's trims are missing, responses in g or °/s
 */
export function judgeMpu6500(
  codes: { readonly acc: Uint8Array; readonly gyr: Uint8Array },
  response: Response,
): SelfTest {
  return judged([
    ...trimmedRows('acc', response.acc, codes.acc, { ratio: ACC_RATIO, untrimmed: ACC_UNTRIMMED, lsbPerUnit: 16_384 }),
    ...trimmedRows('gyr', response.gyr, codes.gyr, { ratio: GYR_RATIO, untrimmed: GYR_UNTRIMMED, lsbPerUnit: 131 }),
  ]);
}

function trimmedRows(
  modality: string,
  response: readonly number[],
  codes: Uint8Array,
  { ratio, untrimmed, lsbPerUnit }: { ratio: Allowed; untrimmed: Allowed; lsbPerUnit: number },
): SelfTest['axes'] {
  const share = (change: number, whole: number) => Math.abs(change) / whole;
  if (codes.includes(0)) return rows(modality, response, [lsbPerUnit, lsbPerUnit, lsbPerUnit], share, untrimmed);
  return rows(
    modality,
    response,
    Array.from(codes, (code) => 2620 * 1.01 ** (code - 1)),
    share,
    ratio,
  );
}

function rows(
  modality: string,
  response: readonly number[],
  trims: readonly number[],
  compare: (change: number, trim: number) => number,
  allowed: Allowed,
): SelfTest['axes'] {
  return trims.map((trim, i) => ({
    axis: `${modality}.${AXES[i]}`,
    value: compare(response[i] ?? Number.NaN, trim),
    ...allowed,
  }));
}
