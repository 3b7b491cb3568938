/**
 * How the guest's clock stands to the simulation's. The two run on different oscillators as far as the guest can tell (its kernel
 * calibrates the processor's counter at boot, parts in ten thousand off), so an offset alone is good for a second only: a line is
 * fitted to pairs of readings. A reading of the far clock is known to lie between the call and its answer; those answered fastest
 * say most (Marzullo and Owicki, 1983; NTP's clock filter, RFC 5905, section 10).
 */

/** The far clock was read between two readings of the near one, all in microseconds. */
export interface ClockReading {
  readonly beforeUs: number;
  readonly farUs: number;
  readonly afterUs: number;
}

export interface ClockFit {
  /** The far clock when the near one shows `nearUs`. */
  toFar(nearUs: number): number;
  /** Far seconds in a near second. */
  readonly rate: number;
  /** How far off `toFar` can be at the readings used: half the slowest answer among them plus the largest residual. */
  readonly errorUs: number;
}

const middleOf = ({ beforeUs, afterUs }: ClockReading) => (beforeUs + afterUs) / 2;
const delayOf = ({ beforeUs, afterUs }: ClockReading) => afterUs - beforeUs;

/** The reading that was answered fastest. @throws RangeError when there is none */
export function bestReading(readings: readonly ClockReading[]): ClockReading {
  const [first, ...rest] = readings;
  if (first === undefined) throw new RangeError('no reading of the clock');
  return rest.reduce((best, reading) => (delayOf(reading) < delayOf(best) ? reading : best), first);
}

/** Least squares over readings that lie apart in time, each the best of a group. @throws RangeError for fewer than two */
export function fitClock(readings: readonly ClockReading[]): ClockFit {
  if (readings.length < 2) throw new RangeError('a line needs two readings of the clock');
  const n = readings.length;
  const nearMean = readings.reduce((sum, reading) => sum + middleOf(reading), 0) / n;
  const farMean = readings.reduce((sum, { farUs }) => sum + farUs, 0) / n;
  const square = readings.reduce((sum, reading) => sum + (middleOf(reading) - nearMean) ** 2, 0);
  const product = readings.reduce(
    (sum, reading) => sum + (middleOf(reading) - nearMean) * (reading.farUs - farMean),
    0,
  );
  const rate = product / square;
  const toFar = (nearUs: number) => farMean + rate * (nearUs - nearMean);
  const errors = readings.map((reading) => Math.abs(reading.farUs - toFar(middleOf(reading))) + delayOf(reading) / 2);
  return { toFar, rate, errorUs: Math.max(...errors) };
}
