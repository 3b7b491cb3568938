/** A closed round: who was counted and when, who was refused and why, what it came to. */
import { type CountedUpdate, getJson, type RoundLine } from './api.ts';
import { createArrivals } from './arrivals.ts';
import { element, setText } from './element.ts';
import { bytesText, countText, durationText, percentText } from './figure-text.ts';
import type { FleetModel } from './fleet-model.ts';
import { startReading } from './reading.ts';
import { boardLink } from './rounds-view.ts';
import { createTable } from './table.ts';
import { modalityText, reasonText } from './trouble.ts';
import type { View } from './view.ts';

interface RoundAnswer extends RoundLine {
  readonly updates: readonly CountedUpdate[];
  readonly rejections: Readonly<Record<string, number>>;
}

export function createRoundView(model: FleetModel, argument: string): View {
  const round = Number(argument);
  const names = model.now().fleet.spec.modalities.map(({ name }) => name);
  const words = element('p', { class: 'lead' });
  const refused = element('p', { class: 'warn' });
  const arrivals = createArrivals();
  const numbers = ['Windows', 'Accuracy', 'Bytes'].map((title) => ({ title, isNumber: true }));
  const columns = [
    { title: 'Board' },
    { title: 'Arrived', isNumber: true },
    ...names.map((name) => ({ title: modalityText(name) })),
    ...numbers,
  ];
  const table = createTable('Updates of the round', columns);
  const reading = startReading(async (signal) => {
    const found = await getJson<RoundAnswer>(`rounds/${round}`, signal);
    const parts = [
      `${countText(found.boards, 'board')} counted in ${durationText(found.durationMs)}`,
      `${bytesText(found.bytes.payload)} instead of ${bytesText(found.bytes.fp32)}`,
      ...(found.online === null ? [] : [`${percentText(found.online.accuracy, 1)} right before training`]),
      ...(found.clean === null ? [] : [`${percentText(found.clean, 1)} on held-out windows`]),
    ];
    setText(words, `${parts.join(' · ')}.`);
    const reasons = Object.entries(found.rejections).map(([reason, count]) => `${count} ${reason}`);
    setText(refused, reasons.length === 0 ? '' : `Refused: ${reasons.join(', ')}`);
    const came = found.updates.map(({ device, report }) => ({ device, arrivedMs: report?.arrivedMs ?? null }));
    arrivals.show(came, found.durationMs);
    const byArrival = [...found.updates].sort((a, b) => (a.report?.arrivedMs ?? 0) - (b.report?.arrivedMs ?? 0));
    table.show(byArrival.map((update) => lineOf(update, names)));
  });
  const turn = (to: number, text: string) => element('a', { href: `#/rounds/${to}` }, text);
  const back = element(
    'p',
    { class: 'back' },
    element('a', { href: '#/rounds' }, '← All rounds'),
    round > 0 ? turn(round - 1, 'earlier') : null,
    turn(round + 1, 'later'),
  );
  return {
    title: `Round ${round}`,
    element: element('div', {}, back, words, refused, arrivals.element, reading.element, table.element),
    update({ closedRounds }) {
      if (closedRounds.includes(round)) reading.again();
    },
    tick: () => undefined,
    stop: () => reading.stop(),
  };
}

function lineOf({ device, bytes, report }: CountedUpdate, names: readonly string[]) {
  const sensors = names.map((_, m) => {
    const line = report?.modalities[m];
    if (line === undefined) return '–';
    const reason = reasonText(line);
    const isBad = line.quality === null || line.quality < 0.5;
    return element(
      'span',
      { class: isBad ? 'bad' : null },
      [line.quality === null ? '' : percentText(line.quality), reason ?? ''].filter(Boolean).join(' '),
    );
  });
  const { correct = 0, count = 0 } = report?.online ?? {};
  const arrived = report?.arrivedMs ?? null;
  return [
    boardLink(device),
    arrived === null ? '–' : durationText(arrived),
    ...sensors,
    ...[report?.windows ?? '–', percentText(count === 0 ? null : correct / count), bytesText(bytes)],
  ];
}
