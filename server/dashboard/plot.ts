/**
 * Curves over rounds, drawn by uPlot in the stylesheet's colours: a legend that switches curves and reads values out, by pointer or by
 * arrow keys. Invariant: a curve keeps its colour and its switch whatever is added.
 */
import type UPlot from 'uplot';
import { element, setText } from './element.ts';
import { onThemeChange } from './theme.ts';

declare const uPlot: typeof UPlot;

export interface Curve {
  readonly name: string;
  readonly values: readonly (number | null)[];
  /** Which of the eight colours. */
  readonly colour: number;
  readonly isDashed?: boolean;
  /** Drawn from the start. Default: true. */
  readonly isShown?: boolean;
}

export interface PlotOptions {
  readonly title: string;
  readonly note?: string;
  readonly text: (value: number) => string;
  /** At the vertical axis. Default: as `text`. */
  readonly axisText?: (value: number) => string;
  /** Of the vertical axis; null = by the data, from 0. */
  readonly range: readonly [number, number] | null;
  readonly isLogarithmic?: boolean;
}

export interface Plot {
  readonly element: HTMLElement;
  show(rounds: readonly number[], curves: readonly Curve[]): void;
  /** In place of the note. */
  explain(note: string): void;
  stop(): void;
}

const DASH = [6, 4];

export function createPlot(options: PlotOptions): Plot {
  const slider = { role: 'slider', tabindex: 0, 'aria-label': `${options.title}: round` };
  const canvas = element('div', { class: 'canvas', ...slider });
  const at = element('p', { class: 'muted at' });
  const legend = element('ul', { class: 'legend' });
  const note = element('p', { class: 'muted', hidden: options.note === undefined }, options.note ?? '');
  const figure = element('figure', { class: 'plot' }, element('h2', {}, options.title), note, canvas, at, legend);
  const switched = new Map<string, boolean>();
  let chart: UPlot | null = null;
  let drawnKey = '';
  let rounds: readonly number[] = [];
  let curves: readonly Curve[] = [];
  let outputs: HTMLOutputElement[] = [];
  const isShown = ({ name, isShown: byDefault = true }: Curve) => switched.get(name) ?? byDefault;
  const readOut = (index: number | null) => {
    const texts = curves.map(({ values }) => valueText(values, index, options.text));
    for (const [i, output] of outputs.entries()) setText(output, texts[i] ?? '–');
    const round = index === null ? undefined : rounds[index];
    setText(at, round === undefined ? 'Newest values' : `Round ${round}`);
    const spoken = curves.flatMap((curve, i) => (isShown(curve) ? `${curve.name} ${texts[i]}` : [])).join(', ');
    speak(canvas, rounds, round, spoken);
  };
  const data = (): UPlot.AlignedData => [[...rounds], ...curves.map(({ values }) => [...values])];
  const draw = () => {
    chart?.destroy();
    chart = null;
    if (rounds.length === 0 || canvas.clientWidth === 0) return;
    const hooks = { setCursor: [(self: UPlot) => readOut(self.cursor.idx ?? null)] };
    chart = new uPlot(plotOptions(options, curves, isShown, canvas, hooks), data(), canvas);
  };
  const list = () => {
    const items = curves.map((curve) =>
      legendItem(curve, isShown(curve), options.title, (isOn) => {
        switched.set(curve.name, isOn);
        draw();
        readOut(null);
      }),
    );
    outputs = items.map(({ output }) => output);
    legend.replaceChildren(...items.map((item) => item.element));
  };
  canvas.addEventListener('keydown', (event) => walk(event, chart, rounds));
  canvas.addEventListener('blur', () => chart?.setCursor({ left: -10, top: -10 }));
  const watching = new ResizeObserver(() => draw());
  watching.observe(canvas);
  const leave = onThemeChange(draw);
  return {
    element: figure,
    show(nextRounds, nextCurves) {
      rounds = nextRounds;
      curves = nextCurves;
      const key = curves.map(({ name }) => name).join('\n');
      if (key !== drawnKey || chart === null) {
        drawnKey = key;
        list();
        draw();
      } else chart.setData(data());
      readOut(null);
    },
    explain(text) {
      note.hidden = false;
      setText(note, text);
    },
    stop() {
      watching.disconnect();
      leave();
      chart?.destroy();
    },
  };
}

/** A value as text; the newest that is known for null. */
function valueText(values: Curve['values'], index: number | null, text: PlotOptions['text']): string {
  const value = index === null ? values.findLast((one) => one !== null) : values[index];
  return value === null || value === undefined ? '–' : text(value);
}

function speak(canvas: HTMLElement, rounds: readonly number[], round: number | undefined, values: string): void {
  canvas.setAttribute('aria-valuemin', String(rounds[0] ?? 0));
  canvas.setAttribute('aria-valuemax', String(rounds.at(-1) ?? 0));
  canvas.setAttribute('aria-valuenow', String(round ?? rounds.at(-1) ?? 0));
  canvas.setAttribute('aria-valuetext', `${round === undefined ? 'newest' : `round ${round}`}: ${values}`);
}

function walk(event: KeyboardEvent, chart: UPlot | null, rounds: readonly number[]): void {
  if (chart === null) return;
  const now = chart.cursor.idx ?? rounds.length - 1;
  const steps: Record<string, number> = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: rounds.length - 1 };
  const next = steps[event.key];
  if (next === undefined) return;
  event.preventDefault();
  const round = rounds[Math.max(0, Math.min(rounds.length - 1, next))] ?? 0;
  chart.setCursor({ left: chart.valToPos(round, 'x'), top: 0 });
}

function legendItem(curve: Curve, isOn: boolean, title: string, onSwitch: (isOn: boolean) => void) {
  const output = element('output', {});
  const box = element('input', { type: 'checkbox', 'aria-label': `${title}: ${curve.name}` });
  box.checked = isOn;
  box.addEventListener('input', () => onSwitch(box.checked));
  const dash = curve.isDashed === true ? ' dashed' : '';
  const swatch = element('span', { class: `swatch run-${curve.colour % 8}${dash}`, 'aria-hidden': 'true' });
  const label = element('label', {}, box, swatch, element('span', { class: 'name' }, curve.name), output);
  return { output, element: element('li', {}, label) };
}

/** Colours come from the stylesheet as the browser has resolved them. */
function plotOptions(
  { range, text, axisText = text, isLogarithmic = false }: PlotOptions,
  curves: readonly Curve[],
  isShown: (curve: Curve) => boolean,
  canvas: HTMLElement,
  hooks: UPlot.Hooks.Arrays,
): UPlot.Options {
  const style = getComputedStyle(canvas);
  const font = `12px ${style.fontFamily}`;
  const axis = {
    stroke: style.color,
    font,
    grid: { stroke: style.borderBottomColor, width: 1 },
    ticks: { show: false },
  };
  const width = canvas.clientWidth;
  const colourOf = (colour: number) => {
    const swatch = canvas.parentElement?.querySelector(`.run-${colour % 8}`);
    return swatch ? getComputedStyle(swatch).color : style.color;
  };
  const upTo = (_: UPlot, __: number, max: number): UPlot.Range.MinMax => [0, (max || 1) * 1.08];
  const y: UPlot.Scale =
    range !== null ? { range: [range[0], range[1]] } : isLogarithmic ? { distr: 3 } : { range: upTo };
  return {
    width,
    height: Math.round(Math.max(220, Math.min(320, width * 0.4))),
    padding: [12, 12, 0, 0],
    scales: { x: { time: false }, y },
    axes: [
      { ...axis, space: 56, size: 30, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] },
      { ...axis, size: 62, values: (_, ticks) => ticks.map((tick) => (tick === null ? '' : axisText(tick))) },
    ],
    series: [
      {},
      ...curves.map((curve): UPlot.Series => {
        const dash = curve.isDashed === true ? { dash: DASH } : {};
        const points = { show: curve.values.length < 3 };
        return { show: isShown(curve), stroke: colourOf(curve.colour), width: 2, spanGaps: true, points, ...dash };
      }),
    ],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 }, sync: { key: 'rounds' } },
    hooks,
  };
}
