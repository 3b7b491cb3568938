/** When updates of a round came: a dot for each board on a line of time, and how many had come by then. */
import { element, svgElement } from './element.ts';
import { durationText } from './figure-text.ts';

export interface Arrival {
  readonly device: string;
  /** After the round's opening; null where that was before a restart. */
  readonly arrivedMs: number | null;
}

export interface Arrivals {
  readonly element: HTMLElement;
  show(arrivals: readonly Arrival[], spanMs: number): void;
}

const WIDTH = 1000;
const HEIGHT = 120;
/** Up to that many, a dot has its board's name. */
const NAMED = 200;

export function createArrivals(): Arrivals {
  const picture = svgElement('svg', {
    class: 'arrivals',
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    role: 'img',
    preserveAspectRatio: 'none',
  });
  const ends = element('p', { class: 'ends muted' });
  const made = element('div', { hidden: true }, picture, ends);
  return {
    element: made,
    show(arrivals, spanMs) {
      const known = arrivals.flatMap(({ device, arrivedMs }) => (arrivedMs === null ? [] : { device, arrivedMs }));
      known.sort((a, b) => a.arrivedMs - b.arrivedMs);
      made.hidden = known.length === 0;
      const x = (ms: number) => 8 + (ms / Math.max(1, spanMs)) * (WIDTH - 16);
      const y = (i: number) => HEIGHT - 8 - ((i + 1) / Math.max(1, known.length)) * (HEIGHT - 20);
      const marks = known.map(({ device, arrivedMs }, i) => {
        const title =
          known.length <= NAMED ? svgElement('title', {}, `${device} after ${durationText(arrivedMs)}`) : null;
        const line = { x1: x(arrivedMs), x2: x(arrivedMs), y1: HEIGHT - 4, y2: y(i) };
        return svgElement('line', { class: 'arrival', ...line }, title);
      });
      const [first, last] = [known[0], known.at(-1)];
      const words =
        first && last
          ? `first ${first.device} after ${durationText(first.arrivedMs)}, last ${last.device} after ${durationText(last.arrivedMs)}`
          : '';
      picture.setAttribute('aria-label', `${known.length} updates over ${durationText(spanMs)}: ${words}`);
      picture.replaceChildren(...marks);
      ends.replaceChildren(
        element('span', {}, 'opened'),
        element('span', {}, words),
        element('span', {}, durationText(spanMs)),
      );
    },
  };
}
