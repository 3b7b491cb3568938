/** What learning together costs in bytes, beside what the same numbers would take as float32. */
import { getJson, type SeriesAnswer } from './api.ts';
import { element, setText } from './element.ts';
import { bytesText } from './figure-text.ts';
import type { FleetModel } from './fleet-model.ts';
import { createPlot } from './plot.ts';
import { startReading } from './reading.ts';
import type { View } from './view.ts';

const MOST_SHOWN = 10;

export function createBytesView(model: FleetModel): View {
  const lead = element('p', { class: 'lead' });
  const bars = element('div', { class: 'bars' });
  const parts = createPlot({
    title: 'A round',
    note: 'Uplink of all boards: the whole payload and its two parts.',
    text: bytesText,
    range: null,
  });
  const beside = createPlot({
    title: 'Beside float32',
    note: 'A logarithmic scale.',
    text: bytesText,
    range: null,
    isLogarithmic: true,
  });
  const boards = element('ol', { class: 'most' });
  const reading = startReading(async (signal) => {
    const { rounds, columns, step } = await getJson<SeriesAnswer>('series', signal);
    const column = (name: string) => (columns[name] ?? []).map((value) => (value === 0 ? null : value));
    const per = step > 1 ? `, mean of ${step} rounds` : '';
    parts.show(rounds, [
      { name: `payload${per}`, values: columns['payloadBytes'] ?? [], colour: 0 },
      { name: 'model change', values: columns['modelBytes'] ?? [], colour: 1 },
      { name: 'prototypes', values: columns['prototypeBytes'] ?? [], colour: 2 },
    ]);
    beside.show(rounds, [
      { name: 'as sent', values: column('payloadBytes'), colour: 0 },
      { name: 'as float32', values: column('fp32Bytes'), colour: 1, isDashed: true },
    ]);
  });
  const show = () => {
    const { payloadBytes, fp32Bytes, rounds } = model.now().fleet.totals;
    const factor = payloadBytes === 0 ? 0 : fp32Bytes / payloadBytes;
    const words = `Boards have sent ${bytesText(payloadBytes)} in ${rounds.toLocaleString('en')} rounds. As float32 it would have been`;
    setText(
      lead,
      payloadBytes === 0
        ? 'Nothing has been sent yet.'
        : `${words} ${bytesText(fp32Bytes)}: ${factor.toFixed(1)} times as much.`,
    );
    bars.replaceChildren(bar('as sent', payloadBytes, fp32Bytes, 0), bar('as float32', fp32Bytes, fp32Bytes, 1));
    boards.replaceChildren(...mostOf(model));
  };
  show();
  const figures = element('div', { class: 'plots' }, parts.element, beside.element);
  return {
    title: 'Bytes',
    element: element(
      'div',
      {},
      lead,
      bars,
      reading.element,
      figures,
      element('h2', {}, 'Boards that have sent most'),
      boards,
    ),
    update({ closedRounds, isAll }) {
      if (closedRounds.length === 0 && !isAll) return;
      show();
      reading.again();
    },
    tick: () => undefined,
    stop() {
      reading.stop();
      parts.stop();
      beside.stop();
    },
  };
}

function bar(name: string, bytes: number, most: number, colour: number): HTMLElement {
  const fill = element('span', { class: `fill run-${colour}` });
  fill.style.width = `${most === 0 ? 0 : Math.max(0.4, (100 * bytes) / most)}%`;
  return element(
    'p',
    { class: 'bar-line' },
    element('span', {}, name),
    element('span', { class: 'track' }, fill),
    element('strong', {}, bytesText(bytes)),
  );
}

function mostOf(model: FleetModel): HTMLElement[] {
  const most = [...model.boards().values()].sort((a, b) => b.bytes - a.bytes).slice(0, MOST_SHOWN);
  return most.map(({ device, bytes, counted }) =>
    element(
      'li',
      {},
      element('a', { href: `#/boards/${encodeURIComponent(device)}` }, device),
      element('span', {}, bytesText(bytes)),
      element('span', { class: 'muted' }, counted === 0 ? '' : `${bytesText(bytes / counted)} an update`),
    ),
  );
}
