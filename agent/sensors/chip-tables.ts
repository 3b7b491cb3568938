/**
 * What a chip can be set to, as the tables of its datasheet list it, and which row answers a person's setting.
 * A rate that the chip does not have is replaced by the nearest, and the modality says the true one; a range by the next that
 * covers what was asked for, so that nothing saturates earlier than a person expects.
 */
import { AppError } from '../../core/base/errors.ts';
import type { ChipModality } from './chip.ts';
import { fullScale, GRAVITY_MPS2, RADIANS_PER_DEGREE } from './registers.ts';

export interface RateRow {
  readonly hz: number;
  /** Of the register's rate field. */
  readonly code: number;
}

export interface RangeRow {
  /** ± g or ± degrees per second. */
  readonly full: number;
  /** Of the register's range field, in its place. */
  readonly code: number;
  /** g or degrees per second of one LSB. */
  readonly perLsb: number;
  /** Highest code at this range; 32767 unless told. */
  readonly codes?: number;
}

/** A modality, and the physical value of one LSB of its registers. */
export interface Axes {
  readonly modality: ChipModality;
  readonly scale: number;
}

/** Share of a rate that the fleet's windows tolerate; so much may be asked beyond a table's ends. */
const TOLERANCE = 0.1;

/** @throws AppError `config-invalid` @param steps what the part can do in between, for the hint */
export function refuseRateBeyond(
  { lowest, highest, steps }: { readonly lowest: number; readonly highest: number; readonly steps: string },
  part: string,
  askedHz: number,
): void {
  if (askedHz >= lowest * (1 - TOLERANCE) && askedHz <= highest * (1 + TOLERANCE)) return;
  throw new AppError('config-invalid', `${part} does not sample at ${askedHz} Hz`, {
    where: 'sensors.rateHz',
    hint: `set a rate from ${Number(lowest.toFixed(2))} to ${highest}; the nearest of ${steps} is taken`,
  });
}

/** @param rates in rising order @throws AppError `config-invalid` for a rate below or above all of them */
export function nearestRate<Row extends RateRow>(part: string, rates: readonly Row[], askedHz: number): Row {
  const all = rates.map(({ hz }) => hz);
  refuseRateBeyond({ lowest: Math.min(...all), highest: Math.max(...all), steps: all.join(', ') }, part, askedHz);
  return rates.reduce((best, row) => (Math.abs(row.hz - askedHz) < Math.abs(best.hz - askedHz) ? row : best));
}

/** The smallest range that covers `asked`, else the largest. @param ranges in rising order, at least one */
export function rangeFor(ranges: readonly [RangeRow, ...RangeRow[]], asked: number): RangeRow {
  return ranges.find(({ full }) => full >= asked) ?? ranges.at(-1) ?? ranges[0];
}

export function accelerometerAxes(sampleRateHz: number, range: RangeRow): Axes {
  return axes({ name: 'acc', unit: 'mps2', sampleRateHz }, range, GRAVITY_MPS2);
}

export function gyroscopeAxes(sampleRateHz: number, range: RangeRow): Axes {
  return axes({ name: 'gyr', unit: 'radps', sampleRateHz }, range, RADIANS_PER_DEGREE);
}

/**
 * Samples after which a FIFO's watermark signals: 20 ms of them, which is each one up to 75 Hz and spares a wake-up per sample above;
 * at most half of what the FIFO holds.
 */
export function watermarkSamples(sampleRateHz: number, fifoSamples: number): number {
  return Math.max(1, Math.min(Math.round(sampleRateHz / 50), Math.floor(fifoSamples / 2)));
}

function axes(
  named: { readonly name: string; readonly unit: string; readonly sampleRateHz: number },
  range: RangeRow,
  unitPerTableUnit: number,
): Axes {
  const scale = range.perLsb * unitPerTableUnit;
  return {
    scale,
    modality: {
      ...named,
      channels: ['x', 'y', 'z'],
      // The range is what the datasheet vouches for; some chips' codes reach beyond it, others' end just below.
      fullScale: Math.min(Math.fround(range.full * unitPerTableUnit), fullScale(scale, range.codes)),
    },
  };
}
