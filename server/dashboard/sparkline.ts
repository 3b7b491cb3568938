/** A small curve of shares in [0, 1] over rounds, with a gap where nothing is known and the line below which a sensor is in trouble. */
import { setAttribute, svgElement } from './element.ts';
import { BAD_QUALITY } from './trouble.ts';

export interface Sparkline {
  readonly element: SVGSVGElement;
  /** The newest is at the right. */
  show(values: readonly (number | null)[]): void;
}

const WIDTH = 96;
const HEIGHT = 24;
const EDGE = 2;

export function createSparkline(points: number): Sparkline {
  const y = (value: number) => EDGE + (1 - value) * (HEIGHT - 2 * EDGE);
  const limit = svgElement('line', { class: 'limit', x1: 0, x2: WIDTH, y1: y(BAD_QUALITY), y2: y(BAD_QUALITY) });
  const line = svgElement('path', { class: 'line' });
  const dot = svgElement('circle', { class: 'dot', r: 0 });
  const element = svgElement(
    'svg',
    { class: 'sparkline', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, 'aria-hidden': 'true', focusable: 'false' },
    ...[limit, line, dot],
  );
  return {
    element,
    show(values) {
      const shown = values.slice(-points);
      const step = (WIDTH - 2 * EDGE - 1) / Math.max(1, points - 1);
      const x = (i: number) => (WIDTH - EDGE - 1 - (shown.length - 1 - i) * step).toFixed(1);
      let path = '';
      let isDrawn = false;
      for (const [i, value] of shown.entries()) {
        if (value !== null) path += `${isDrawn ? 'L' : 'M'}${x(i)} ${y(value).toFixed(1)}`;
        isDrawn = value !== null;
      }
      setAttribute(line, 'd', path);
      const last = shown.at(-1) ?? null;
      setAttribute(dot, 'r', last === null ? '0' : '2.2');
      if (last === null) return;
      setAttribute(dot, 'cx', x(shown.length - 1));
      setAttribute(dot, 'cy', y(last).toFixed(1));
    },
  };
}
