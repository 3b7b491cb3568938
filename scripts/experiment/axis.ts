/** Scales of a chart: positions in percent of the width, heights in pixels, and the numbers written beside them. */
import type { Figure } from './experiment.ts';
import type { Place } from './summary.ts';

export interface Tick {
  /** Percent of the width, or pixels from the top. */
  readonly at: number;
  readonly value: number;
}

export interface VerticalAxis {
  /** Pixels from the top. */
  y(value: number): number;
  readonly ticks: readonly Tick[];
}

/** Steps of 1, 2 or 5 times a power of ten, so that there are about five; `values` are what must be seen, at least one. */
export function verticalAxis(values: readonly number[], height: number): VerticalAxis {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const span = high - low || Math.abs(high) || 1;
  const rough = span / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.floor(low / step);
  const last = Math.max(first + 1, Math.ceil(high / step));
  const y = (value: number) => height * (1 - (value / step - first) / (last - first));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  return { y, ticks: ticks.map((value) => ({ value: Number(value.toPrecision(12)), at: y(value) })) };
}

/** Percent of the width for each place; ordinal places stand in the middle of equal parts. */
export function placePositions(places: readonly Place[], kind: Figure['x']): Map<Place, number> {
  if (kind === 'ordinal') return new Map(places.map((x, i) => [x, (100 * (i + 0.5)) / places.length]));
  const scaled = places.map((x) => (kind === 'log' ? Math.log10(Number(x)) : Number(x)));
  const [low, high] = [Math.min(...scaled), Math.max(...scaled)];
  const margin = kind === 'curve' ? 0 : 4;
  return new Map(
    places.map((x, i) => {
      const share = high === low ? 0.5 : ((scaled[i] as number) - low) / (high - low);
      return [x, margin + (100 - 2 * margin) * share];
    }),
  );
}
