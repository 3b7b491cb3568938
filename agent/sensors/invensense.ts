/**
 * What InvenSense's motion sensors have in common, from the ITG-3200 to the ICM-20948: an internal rate divided by a register's value,
 * low-pass filters by number, and the same sensitivities.
 * Source: register maps RS-MPU-6000A, RM-MPU-6500A, RM-MPU-9250A, DS-000189 and PS-ITG-3200A, sections on SMPLRT_DIV and DLPF.
 */
import { AppError } from '../../core/base/errors.ts';
import type { RangeRow, RateRow } from './chip-tables.ts';

/** Largest value of a rate divider of 8 bits. */
const MOST_DIVIDER = 255;
/** Share of a rate that the fleet's windows tolerate; so much may be asked beyond the ends. */
const TOLERANCE = 0.1;

/** Sensitivity in LSB/g: 16384, 8192, 4096, 2048. Codes are not shifted: the field's place differs. */
export const ACC_RANGES: readonly [RangeRow, ...RangeRow[]] = [
  { full: 2, code: 0, perLsb: 1 / 16_384 },
  { full: 4, code: 1, perLsb: 1 / 8_192 },
  { full: 8, code: 2, perLsb: 1 / 4_096 },
  { full: 16, code: 3, perLsb: 1 / 2_048 },
];

/** Sensitivity in LSB/(°/s): 131, 65.5, 32.8, 16.4. */
export const GYR_RANGES: readonly [RangeRow, ...RangeRow[]] = [
  { full: 250, code: 0, perLsb: 1 / 131 },
  { full: 500, code: 1, perLsb: 1 / 65.5 },
  { full: 1000, code: 2, perLsb: 1 / 32.8 },
  { full: 2000, code: 3, perLsb: 1 / 16.4 },
];

/** The rate `baseHz / (1 + code)` that is nearest to what was asked. @throws AppError `config-invalid` beyond what the divider can do */
export function dividedRate(part: string, baseHz: number, askedHz: number): RateRow {
  const lowest = baseHz / (1 + MOST_DIVIDER);
  if (askedHz < lowest * (1 - TOLERANCE) || askedHz > baseHz * (1 + TOLERANCE)) {
    throw new AppError('config-invalid', `${part} does not sample at ${askedHz} Hz`, {
      where: 'sensors.rateHz',
      hint: `set a rate from ${lowest.toFixed(1)} to ${baseHz}; the nearest of ${baseHz} / n is taken, n a whole number`,
    });
  }
  const below = Math.min(Math.max(Math.floor(baseHz / askedHz) - 1, 0), MOST_DIVIDER);
  const rows = [below, Math.min(below + 1, MOST_DIVIDER)].map((code) => ({ code, hz: baseHz / (1 + code) }));
  const [fast, slow] = rows as [RateRow, RateRow];
  return fast.hz - askedHz <= askedHz - slow.hz ? fast : slow;
}

/**
 * Number of the widest filter whose −3 dB lie at half of the output rate or below, so that little is folded back; of the narrowest when
 * none does. A filter's edge is soft: 5 % more still counts, lest a rate of 102.3 Hz miss a filter of 51.2 Hz.
 * @param bandwidthsHz of filter `first`, `first` + 1, …; falling
 */
export function filterFor(rateHz: number, bandwidthsHz: readonly number[], first: number): number {
  const index = bandwidthsHz.findIndex((bandwidthHz) => bandwidthHz <= 1.05 * (rateHz / 2));
  return first + (index < 0 ? bandwidthsHz.length - 1 : index);
}
