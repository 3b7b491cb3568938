/** One board: what is wrong with it in words, each sensor over the rounds, and its updates. */
import type { BoardLine } from '../http/board-list.ts';
import { type CountedUpdate, type FleetAnswer, getJson } from './api.ts';
import { HISTORY } from './apply-event.ts';
import { qualityText } from './board-row.ts';
import { element, setAttribute, setText } from './element.ts';
import { agoText, bytesText, durationText, percentText } from './figure-text.ts';
import type { FleetModel } from './fleet-model.ts';
import { createPlot, type Plot } from './plot.ts';
import { startReading } from './reading.ts';
import { roundStanding } from './round-standing.ts';
import { createTable, type Table } from './table.ts';
import { modalityText, reasonText, troublesOf } from './trouble.ts';
import type { View } from './view.ts';

interface BoardAnswer {
  readonly updates: readonly CountedUpdate[];
}

export function createBoardView(model: FleetModel, device: string): View {
  const names = model.now().fleet.spec.modalities.map(({ name }) => name);
  const facts = element('p', { class: 'lead' });
  const troubles = element('ul', { class: 'incidents' });
  const sensors = names.map(createSensor);
  const quality = createPlot({ title: 'Quality', text: (value) => percentText(value), range: [0, 1] });
  const accuracy = createPlot({
    title: 'Accuracy of its predictions, before training',
    text: (value) => percentText(value, 1),
    axisText: (value) => percentText(value),
    range: [0, 1],
  });
  const table = updatesTable(names);
  const reading = startReading(async (signal) => {
    const { updates } = await getJson<BoardAnswer>(`devices/${encodeURIComponent(device)}?limit=100`, signal);
    showUpdates(updates, names, quality, accuracy, table);
  });
  const show = () => {
    const board = model.boards().get(device);
    setText(facts, board === undefined ? 'This board has not been heard of.' : factsOf(board, model.now().fleet));
    const found = board ? troublesOf(board, HISTORY, model.now().fleet.lastRound, Date.now()) : [];
    const lines = found.map(({ severity, text }) => element('li', { class: severity === 3 ? 'bad' : 'warn' }, text));
    troubles.replaceChildren(...lines);
    troubles.hidden = lines.length === 0;
    for (const [m, sensor] of sensors.entries())
      sensor.show(board?.modalities[m], board?.missing.includes(names[m] ?? '') ?? false);
  };
  show();
  const back = element('p', { class: 'back' }, element('a', { href: '#/' }, '← All boards'));
  const cards = element('div', { class: 'cards' }, ...sensors.map((sensor) => sensor.element));
  const figures = element('div', { class: 'plots' }, quality.element, accuracy.element);
  return {
    title: device,
    element: element(
      'div',
      {},
      back,
      facts,
      troubles,
      cards,
      figures,
      element('h2', {}, 'Updates'),
      reading.element,
      table.element,
    ),
    update({ boards, isAll }) {
      if (!isAll && !boards.has(device)) return;
      show();
      reading.again();
    },
    tick: show,
    stop() {
      reading.stop();
      quality.stop();
      accuracy.stop();
    },
  };
}

function factsOf(board: BoardLine, fleet: FleetAnswer): string {
  const parts = [
    `${board.state}, heard ${agoText(board.lastSeenMs, Date.now())}`,
    roundStanding(board, fleet),
    `${board.counted.toLocaleString('en')} updates, ${bytesText(board.bytes)}`,
    ...(board.backlog === null ? [] : [`${board.backlog.toLocaleString('en')} windows wait to be learned from`]),
  ];
  return `${parts.join(' · ')}.`;
}

function createSensor(name: string) {
  const value = element('p', { class: 'value' });
  const why = element('p', { class: 'why' });
  const card = element('section', { class: 'card' }, element('h2', {}, modalityText(name)), value, why);
  return {
    element: card,
    show(line: BoardLine['modalities'][number] | undefined, isMissing: boolean) {
      const { level, text, reason } = qualityText(line, isMissing);
      setAttribute(card, 'class', `card ${level}`);
      setText(value, text);
      setText(why, reason === '' ? 'nothing heard yet' : reason);
    },
  };
}

function updatesTable(names: readonly string[]): Table {
  const numbers = ['Arrived', 'Windows', 'Backlog', 'Accuracy', 'Bytes'].map((title) => ({ title, isNumber: true }));
  return createTable('Updates', [
    { title: 'Round' },
    ...names.map((name) => ({ title: modalityText(name) })),
    ...numbers,
  ]);
}

function accuracyOf({ report }: CountedUpdate): number | null {
  const { correct = 0, count = 0 } = report?.online ?? {};
  return count === 0 ? null : correct / count;
}

function showUpdates(
  updates: readonly CountedUpdate[],
  names: readonly string[],
  quality: Plot,
  accuracy: Plot,
  table: Table,
): void {
  const ascending = [...updates].reverse();
  const rounds = ascending.map(({ round }) => round);
  const curves = names.map((name, m) => {
    const values = ascending.map(({ report }) => report?.modalities[m]?.quality ?? null);
    return { name: modalityText(name), values, colour: m };
  });
  quality.show(rounds, curves);
  accuracy.show(rounds, [{ name: 'this board', values: ascending.map(accuracyOf), colour: 0 }]);
  const lines = updates.map((update) => {
    const { round, bytes, report } = update;
    const sensors = names.map((_, m) => {
      const line = report?.modalities[m];
      if (line === undefined) return '–';
      const reason = reasonText(line);
      const isBad = line.quality === null || line.quality < 0.5;
      const text = [line.quality === null ? '' : percentText(line.quality), reason ?? ''].filter(Boolean).join(' ');
      return element('span', { class: isBad ? 'bad' : null }, text);
    });
    const arrived = report?.arrivedMs ?? null;
    return [
      element('a', { href: `#/rounds/${round}` }, round),
      ...sensors,
      arrived === null ? '–' : durationText(arrived),
      ...[
        report?.windows ?? '–',
        report?.backlog.toLocaleString('en') ?? '–',
        percentText(accuracyOf(update)),
        bytesText(bytes),
      ],
    ];
  });
  table.show(lines);
}
