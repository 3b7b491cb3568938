/** How the fleet learns: accuracy on held-out windows by condition, on the stream before training, loss and regret, and the sensors' quality. */
import { getJson, type SeriesAnswer } from './api.ts';
import { element } from './element.ts';
import { durationText, percentText } from './figure-text.ts';
import type { FleetModel } from './fleet-model.ts';
import { type Curve, createPlot } from './plot.ts';
import { startReading } from './reading.ts';
import { modalityText } from './trouble.ts';
import type { View } from './view.ts';

const SPANS = [100, 500, 2000, 50_000] as const;

export function createCurvesView(model: FleetModel): View {
  const share = {
    text: (value: number) => percentText(value, 1),
    axisText: (value: number) => percentText(value),
    range: [0, 1] as const,
  };
  const heldOut = createPlot({
    title: 'Accuracy on held-out windows',
    note: 'With all sensors, without one of them, and with a degraded one.',
    ...share,
  });
  const stream = createPlot({
    title: 'Accuracy on the stream',
    note: 'Prequential: each window is predicted before it is learned from.',
    ...share,
  });
  const loss = createPlot({ title: 'Loss on the stream', text: (value) => value.toFixed(2), range: null });
  const regret = createPlot({ title: 'Regret', text: (value) => value.toFixed(1), range: null });
  const quality = createPlot({
    title: 'Quality of the sensors',
    note: 'Mean over boards and, dashed, the share of windows without the sensor.',
    ...share,
  });
  const duration = createPlot({ title: 'Duration of rounds', text: durationText, range: null });
  const plots = [heldOut, stream, loss, regret, quality, duration];
  const span = element('select', { id: 'span' });
  for (const rounds of SPANS) {
    const text = rounds === SPANS.at(-1) ? 'all rounds' : `newest ${rounds.toLocaleString('en')} rounds`;
    span.append(element('option', { value: rounds, selected: rounds === 2000 }, text));
  }
  const reading = startReading(async (signal) => {
    const last = model.now().fleet.lastRound ?? 0;
    const { rounds, columns, regretExponent } = await getJson<SeriesAnswer>(
      `series?from=${Math.max(0, last - Number(span.value) + 1)}`,
      signal,
    );
    heldOut.element.hidden = columns['clean'] === undefined;
    heldOut.show(rounds, heldOutCurves(columns));
    stream.show(rounds, streamCurves(columns));
    loss.show(rounds, [{ name: 'cross-entropy', values: columns['onlineLoss'] ?? [], colour: 0 }]);
    regret.show(rounds, [{ name: 'nats a window, added up', values: columns['regret'] ?? [], colour: 0 }]);
    regret.explain(regretWords(regretExponent));
    quality.show(rounds, qualityCurves(columns));
    duration.show(rounds, [{ name: 'from opening to closing', values: columns['durationMs'] ?? [], colour: 0 }]);
  });
  span.addEventListener('input', reading.again);
  const controls = element('div', { class: 'controls' }, element('label', { for: 'span' }, 'Show'), span);
  const figures = element('div', { class: 'plots' }, ...plots.map((plot) => plot.element));
  return {
    title: 'Learning curves',
    element: element('div', {}, controls, reading.element, figures),
    update({ closedRounds, isAll }) {
      if (closedRounds.length > 0 || isAll) reading.again();
    },
    tick: () => undefined,
    stop() {
      reading.stop();
      for (const plot of plots) plot.stop();
    },
  };
}

type Columns = SeriesAnswer['columns'];

function heldOutCurves(columns: Columns): Curve[] {
  const curves: Curve[] = [{ name: 'all sensors', values: columns['clean'] ?? [], colour: 0 }];
  for (const [name, values] of Object.entries(columns)) {
    const [kind, modality = ''] = name.split('/');
    if (kind === 'missing') curves.push({ name: `without ${modalityText(modality)}`, values, colour: curves.length });
    if (kind === 'degraded') {
      curves.push({ name: `${modalityText(modality)} degraded`, values, colour: curves.length, isDashed: true });
    }
  }
  return curves;
}

function regretWords(exponent: number | null): string {
  const what = 'What the rounds shown have cost above the loss of their best stretch.';
  if (exponent === null) return what;
  return `${what} It grows like rounds to the power of ${exponent.toFixed(2)}: 1 is no better in time, 0 nothing more to regret.`;
}

function streamCurves(columns: Columns): Curve[] {
  const values = columns['onlineAccuracy'] ?? [];
  let sum = 0;
  let count = 0;
  const mean = values.map((value) => {
    if (value !== null) {
      sum += value;
      count++;
    }
    return count === 0 ? null : sum / count;
  });
  return [
    { name: 'this round', values, colour: 0 },
    { name: 'mean of the rounds shown', values: mean, colour: 1, isDashed: true },
  ];
}

function qualityCurves(columns: Columns): Curve[] {
  const names = Object.keys(columns)
    .filter((name) => name.startsWith('quality/'))
    .map((name) => name.slice(8));
  return names.flatMap((name, colour): Curve[] => [
    { name: modalityText(name), values: columns[`quality/${name}`] ?? [], colour },
    { name: `without ${modalityText(name)}`, values: columns[`absent/${name}`] ?? [], colour, isDashed: true },
  ]);
}
