/// <reference lib="dom" />
/**
 * The report's own script: draws the prepared curves with uPlot, switches views and colours, and reads values out.
 * It is compiled, inlined into the page and run as a module, so it may import types only.
 */
import type UPlot from 'uplot';
import type { PageData } from './html.ts';
import type { Curve, Plot, View } from './plots.ts';

declare const uPlot: typeof UPlot;

type Numbers = (number | null)[];

const data: PageData = JSON.parse(one(document, '#plot-data').textContent ?? '');
const rounds = [...data.rounds];

function one(root: ParentNode, selector: string): HTMLElement {
  const element = root.querySelector<HTMLElement>(selector);
  if (element === null) throw new Error(`the page has no ${selector}`);
  return element;
}

/** uPlot's series after the x values: per run its mean and, invisible, the edges of its band. */
function alignedData(view: View): UPlot.AlignedData {
  const nothing: Numbers = rounds.map(() => null);
  const columns = view.curves.flatMap(({ mean, band }): Numbers[] => [
    [...mean],
    band ? [...band.high] : nothing,
    band ? [...band.low] : nothing,
  ]);
  return [rounds, ...columns];
}

function formatted(value: number | null | undefined, plot: Plot): string {
  if (value === null || value === undefined) return '–';
  return plot.unit === 'percent' ? `${(value * 100).toFixed(1)} %` : value.toFixed(2);
}

function options(plot: Plot, width: number, colours: Colours, hooks: UPlot.Hooks.Arrays): UPlot.Options {
  const axis = (label: string): UPlot.Axis => ({
    label,
    stroke: colours.text,
    font: `12px ${colours.font}`,
    labelFont: `12px ${colours.font}`,
    labelSize: 22,
    grid: { stroke: colours.rule, width: 1 },
    ticks: { show: false },
  });
  const scale = plot.unit === 'percent' ? 100 : 1;
  const run = (index: number): UPlot.Series[] => [
    {
      stroke: colours.runs[index] ?? colours.text,
      width: 2,
      dash: [...(data.runs[index]?.dash ?? [])],
      spanGaps: true,
      points: { show: rounds.length < 3 },
    },
    { show: true, stroke: 'transparent', points: { show: false }, spanGaps: true },
    { show: true, stroke: 'transparent', points: { show: false }, spanGaps: true },
  ];
  return {
    width,
    height: Math.round(Math.max(230, Math.min(380, width * 0.42))),
    padding: [12, 30, 0, 0],
    scales: { x: { time: false }, y: { range: [plot.range[0], plot.range[1]] } },
    axes: [
      { ...axis('round'), space: 44, size: 28, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] },
      {
        ...axis(plot.yLabel),
        size: 40,
        values: (_, ticks) => ticks.map((tick) => String(Number((tick * scale).toFixed(2)))),
      },
    ],
    series: [{}, ...data.runs.flatMap((_, index) => run(index))],
    bands: data.runs.map((_, index) => ({ series: [2 + 3 * index, 3 + 3 * index], fill: colours.bands[index] ?? '' })),
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 }, sync: { key: 'rounds' } },
    hooks,
  };
}

interface Colours {
  readonly text: string;
  readonly rule: string;
  readonly font: string;
  readonly runs: readonly string[];
  readonly bands: readonly string[];
}

/** The stylesheet's colours as the browser resolved them, so that a theme lives in one place. */
function coloursOf(figure: HTMLElement): Colours {
  const caption = getComputedStyle(one(figure, '.at'));
  const swatches = [...figure.querySelectorAll('.legend .swatch')];
  const runs = swatches.map((swatch) => getComputedStyle(swatch).color);
  return {
    text: caption.color,
    rule: getComputedStyle(one(figure, '.canvas')).borderBottomColor,
    font: caption.fontFamily,
    runs,
    bands: runs.map((colour) => `color-mix(in srgb, ${colour} 12%, transparent)`),
  };
}

/** Letters at the ends of the lines, moved apart where lines end close to each other. */
function drawLetters(plot: UPlot, curves: readonly Curve[], colours: Colours): void {
  const ratio = uPlot.pxRatio;
  const ends = curves.flatMap(({ run, mean }) => {
    const last = mean.findLastIndex((value) => value !== null);
    const value = mean[last];
    const round = rounds[last];
    if (value === null || value === undefined || round === undefined) return [];
    return [{ run, x: plot.valToPos(round, 'x', true), y: plot.valToPos(value, 'y', true) }];
  });
  spread(ends, 13 * ratio);
  plot.ctx.save();
  plot.ctx.font = `bold ${12 * ratio}px ${colours.font}`;
  plot.ctx.textBaseline = 'middle';
  for (const end of ends) {
    plot.ctx.fillStyle = colours.runs[end.run] ?? colours.text;
    plot.ctx.fillText(data.runs[end.run]?.letter ?? '', end.x + 8 * ratio, end.y);
  }
  plot.ctx.restore();
}

/** Moves neighbours that are closer than `gap` apart by equal amounts, until none is or after enough passes to see none. */
function spread(ends: { y: number }[], gap: number): void {
  ends.sort((a, b) => a.y - b.y);
  for (let pass = 0; pass < 50; pass++) {
    for (const [i, lower] of ends.entries()) {
      const upper = ends[i - 1];
      const push = upper === undefined ? 0 : (gap - (lower.y - upper.y)) / 2;
      if (upper === undefined || push <= 0) continue;
      upper.y -= push;
      lower.y += push;
    }
  }
}

/** Draws one figure and wires it; the function that it returns draws it again, after a change of theme. */
function setUp(figure: HTMLElement, plot: Plot): () => void {
  const canvas = one(figure, '.canvas');
  const outputs = [...figure.querySelectorAll('output')];
  let view = plot.views[0];
  let chart: UPlot | undefined;

  /** The values at a position of `rounds`; at the end of each curve for null. */
  function readOut(index: number | null): void {
    const round = index === null ? undefined : rounds[index];
    const texts = (view?.curves ?? []).map(({ mean }) =>
      formatted(index === null ? mean.findLast((value) => value !== null) : mean[index], plot),
    );
    for (const [i, output] of outputs.entries()) output.textContent = texts[i] ?? '';
    one(figure, '.at').textContent = round === undefined ? 'Last values' : `Round ${round}`;
    canvas.setAttribute('aria-valuenow', String(round ?? rounds.at(-1) ?? 0));
    const spoken = texts.map((text, i) => `${data.runs[i]?.letter} ${text}`).join(', ');
    canvas.setAttribute('aria-valuetext', `${round === undefined ? 'last values' : `round ${round}`}: ${spoken}`);
  }

  function draw(): void {
    if (view === undefined) return;
    const colours = coloursOf(figure);
    chart?.destroy();
    const hooks: UPlot.Hooks.Arrays = {
      draw: [(self) => drawLetters(self, view?.curves ?? [], colours)],
      setCursor: [(self) => readOut(self.cursor.idx ?? null)],
    };
    chart = new uPlot(options(plot, canvas.clientWidth, colours, hooks), alignedData(view), canvas);
    readOut(null);
  }

  figure.addEventListener('change', (event) => {
    const key = event.target instanceof HTMLInputElement ? event.target.value : '';
    view = plot.views.find((candidate) => candidate.key === key) ?? view;
    draw();
  });
  canvas.addEventListener('keydown', (event) => {
    const at = chart?.cursor.idx ?? rounds.length - 1;
    const moves: Record<string, number> = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: rounds.length - 1 };
    const to = moves[event.key];
    const round = to === undefined ? undefined : rounds[Math.max(0, Math.min(rounds.length - 1, to))];
    if (chart === undefined || round === undefined) return;
    event.preventDefault();
    chart.setCursor({ left: chart.valToPos(round, 'x'), top: 0 });
  });
  new ResizeObserver(() => {
    if (chart !== undefined && chart.width !== canvas.clientWidth) draw();
  }).observe(canvas);
  draw();
  return draw;
}

const redraws = data.plots.map((plot) => setUp(one(document, `[data-plot="${CSS.escape(plot.id)}"]`), plot));
const dark = matchMedia('(prefers-color-scheme: dark)');
const toggle = one(document, '#theme');

function isDark(): boolean {
  const chosen = document.documentElement.dataset['theme'];
  return chosen === undefined ? dark.matches : chosen === 'dark';
}

function applyTheme(): void {
  toggle.setAttribute('aria-pressed', String(isDark()));
  for (const redraw of redraws) redraw();
}

toggle.hidden = false;
toggle.setAttribute('aria-pressed', String(isDark()));
toggle.addEventListener('click', () => {
  document.documentElement.dataset['theme'] = isDark() ? 'light' : 'dark';
  applyTheme();
});
dark.addEventListener('change', applyTheme);
