/**
 * One metric of one figure as SVG that needs no script: means with ± one standard deviation, a line per series where places
 * have an order. Horizontal positions are percentages, so that the chart takes the width it is given and its text keeps its size.
 */
import { html, type Markup, NOTHING } from '../report/markup.ts';
import { runClass, runDash, runLetter } from '../report/run-key.ts';
import { placePositions, type VerticalAxis, verticalAxis } from './axis.ts';
import { axisLabel, formatValue } from './metric.ts';
import type { Cell, FigureSummary, MetricSummary, Place } from './summary.ts';

const HEIGHT = 260;
/** Pixels between neighbouring series at one place. */
const DODGE = { ordinal: 13, other: 3 };
/** Pixels for the words under a place, and between letters. */
const LABEL_WIDTH = 100;
const LETTER_GAP = 12;
/** Most numbers along the horizontal axis. */
const MOST_LABELS = 10;

export function chart(summary: FigureSummary, { metric, cells }: MetricSummary): Markup {
  const { figure, places, series } = summary;
  const isOrdinal = figure.x === 'ordinal';
  const axis = verticalAxis(
    cells.flatMap(({ estimate: { mean, std } }) => [mean - (std ?? 0), mean + (std ?? 0)]),
    HEIGHT,
  );
  const positions = placePositions(places, figure.x);
  const letters = isOrdinal ? new Map<string, number>() : apart(lastHeights(series, cells, axis));
  const drawn = series.map((name, index) => {
    const own = cells.filter((cell) => cell.series === name);
    const dodge = isOrdinal ? DODGE.ordinal : figure.x === 'curve' ? 0 : DODGE.other;
    const shift = (index - (series.length - 1) / 2) * dodge;
    const marks = own.map((cell) => mark(cell, positions, axis, figure.x === 'curve'));
    const end = isOrdinal ? firstLetter(own, index, positions, axis) : lastLetter(own, index, positions, letters);
    return html`<g class="${runClass(index)}" transform="translate(${shift.toFixed(1)} 0)">${isOrdinal ? NOTHING : line(own, index, positions, axis)}${marks}${end}</g>`;
  });
  const width = places.length * Math.max(series.length * DODGE.ordinal, LABEL_WIDTH);
  const room = Math.min(6, Math.ceil(width / 240));
  return html`
<p class="muted unit">${axisLabel(metric)}</p>
<div class="scroll" tabindex="0" role="region" aria-label="${figure.title}, ${metric.label}: chart">
<div class="chart ${isOrdinal ? `room-${room}` : ''}">
<svg width="100%" height="${HEIGHT + 58}" role="img" aria-label="${figure.title}, ${metric.label}, by ${figure.xLabel}. The values are in the table below.">
<g class="axis">${axis.ticks.map(({ at, value }) => html`<line class="grid" x1="0" x2="100%" y1="${at.toFixed(1)}" y2="${at.toFixed(1)}"/><text x="-8" y="${(at + 4).toFixed(1)}" text-anchor="end">${tickText(value, metric)}</text>`)}${placeLabels(places, positions, isOrdinal)}<text x="50%" y="${HEIGHT + 52}" text-anchor="middle">${figure.xLabel}</text></g>
${drawn}
</svg></div></div>`;
}

function tickText(value: number, metric: MetricSummary['metric']): string {
  if (metric.unit === 'percent') return String(Number((100 * value).toFixed(2)));
  return metric.unit === 'bytes' ? formatValue(value, metric) : String(value);
}

function placeLabels(places: readonly Place[], positions: ReadonlyMap<Place, number>, isOrdinal: boolean): Markup[] {
  const every = isOrdinal ? 1 : Math.ceil(places.length / MOST_LABELS);
  return places
    .filter((_, i) => i % every === 0)
    .map((x) => {
      const at = `${(positions.get(x) ?? 0).toFixed(2)}%`;
      const lines = isOrdinal ? wrapped(String(x)) : [String(x)];
      return html`<text y="${HEIGHT + 16}" text-anchor="middle">${lines.map((text, i) => html`<tspan x="${at}" dy="${i === 0 ? 0 : 12}">${text}</tspan>`)}</text>`;
    });
}

/** Two lines at most, broken at a space near the middle. */
function wrapped(text: string): string[] {
  const spaces = [...text.matchAll(/ /g)].map(({ index }) => index);
  if (text.length <= 16 || spaces.length === 0) return [text];
  const middle = text.length / 2;
  const at = spaces.reduce((best, place) => (Math.abs(place - middle) < Math.abs(best - middle) ? place : best));
  return [text.slice(0, at), text.slice(at + 1)];
}

function line(
  cells: readonly Cell[],
  index: number,
  positions: ReadonlyMap<Place, number>,
  axis: VerticalAxis,
): Markup {
  const points = cells.map(
    ({ x, estimate }) => `${(positions.get(x) ?? 0).toFixed(2)},${axis.y(estimate.mean).toFixed(1)}`,
  );
  return html`<svg viewBox="0 0 100 ${HEIGHT}" preserveAspectRatio="none" width="100%" height="${HEIGHT}"><polyline class="line" vector-effect="non-scaling-stroke" stroke-dasharray="${runDash(index).join(' ')}" points="${points.join(' ')}"/></svg>`;
}

function mark(
  { x, estimate: { mean, std } }: Cell,
  positions: ReadonlyMap<Place, number>,
  axis: VerticalAxis,
  isCurve: boolean,
): Markup {
  const at = `${(positions.get(x) ?? 0).toFixed(2)}%`;
  const bar =
    std === null
      ? NOTHING
      : html`<line class="${isCurve ? 'spread faint' : 'spread'}" x1="${at}" x2="${at}" y1="${axis.y(mean - std).toFixed(1)}" y2="${axis.y(mean + std).toFixed(1)}"/>`;
  return isCurve ? bar : html`${bar}<circle class="solid" cx="${at}" cy="${axis.y(mean).toFixed(1)}" r="3.5"/>`;
}

/** Above the first point, where places have no order. */
function firstLetter(
  [cell]: readonly Cell[],
  index: number,
  positions: ReadonlyMap<Place, number>,
  axis: VerticalAxis,
): Markup {
  if (cell === undefined) return NOTHING;
  const y = axis.y(cell.estimate.mean + (cell.estimate.std ?? 0)) - 7;
  return html`<text class="letter" x="${(positions.get(cell.x) ?? 0).toFixed(2)}%" y="${y.toFixed(1)}" text-anchor="middle">${runLetter(index)}</text>`;
}

/** Beside the end of the line. */
function lastLetter(
  cells: readonly Cell[],
  index: number,
  positions: ReadonlyMap<Place, number>,
  heights: ReadonlyMap<string, number>,
): Markup {
  const cell = cells.at(-1);
  if (cell === undefined) return NOTHING;
  const y = (heights.get(cell.series) ?? 0) + 4;
  return html`<text class="letter" x="${(positions.get(cell.x) ?? 0).toFixed(2)}%" y="${y.toFixed(1)}" dx="9">${runLetter(index)}</text>`;
}

function lastHeights(series: readonly string[], cells: readonly Cell[], axis: VerticalAxis): Map<string, number> {
  return new Map(
    series.flatMap((name): [string, number][] => {
      const last = cells.findLast((cell) => cell.series === name);
      return last === undefined ? [] : [[name, axis.y(last.estimate.mean)]];
    }),
  );
}

/** The same heights, moved down where two would write over each other, and up again where they would leave the chart. */
function apart(heights: ReadonlyMap<string, number>): Map<string, number> {
  const sorted = [...heights].sort(([, a], [, b]) => a - b);
  let above = Number.NEGATIVE_INFINITY;
  const down = sorted.map(([name, y]): [string, number] => {
    above = Math.max(y, above + LETTER_GAP);
    return [name, above];
  });
  const excess = Math.max(0, above - HEIGHT);
  return new Map(down.map(([name, y]) => [name, y - excess]));
}
