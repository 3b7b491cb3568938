/** Rounds: the open one with who has answered when, and those that have closed, newest first. */
import { type FleetAnswer, getJson, type RoundLine } from './api.ts';
import { createArrivals } from './arrivals.ts';
import { element, setText } from './element.ts';
import { agoText, bytesText, countText, durationText, percentText } from './figure-text.ts';
import type { FleetModel } from './fleet-model.ts';
import { startReading } from './reading.ts';
import { createTable } from './table.ts';
import type { View } from './view.ts';

interface OpenAnswer {
  readonly round: number;
  readonly openForMs: number;
  readonly deadlineMs: number;
  readonly asked: readonly string[];
  readonly counted: readonly { readonly device: string; readonly arrivedMs: number | null }[];
  readonly waitingFor: readonly string[];
}

interface RejectionsAnswer {
  readonly newest: readonly { readonly atMs: number; readonly device: string; readonly reason: string }[];
}

const WAITING_SHOWN = 12;

export function createRoundsView(model: FleetModel): View {
  const open = createOpenRound();
  const numbers = ['Boards', 'Refused', 'Duration', 'Stream', 'Held out', 'Bytes'].map((title) => ({
    title,
    isNumber: true,
  }));
  const table = createTable('Closed rounds', [{ title: 'Round' }, { title: 'Closed' }, ...numbers]);
  const refused = createTable('Refused updates', [{ title: 'When' }, { title: 'Board' }, { title: 'Why' }]);
  const refusedPart = element('section', { hidden: true }, element('h2', {}, 'Refused, newest first'), refused.element);
  let pages = 1;
  const more = element('button', { type: 'button' }, 'Earlier rounds');
  const closed = startReading(async (signal) => {
    const lines: RoundLine[] = [];
    let before: number | null = null;
    for (let page = 0; page < pages; page++) {
      const query = before === null ? '' : `&before=${before}`;
      const answer: { rounds: RoundLine[]; next: number | null } = await getJson(`rounds?limit=50${query}`, signal);
      lines.push(...answer.rounds);
      before = answer.next;
      if (before === null) break;
    }
    more.hidden = before === null;
    table.show(lines.map(lineOf));
    const { newest } = await getJson<RejectionsAnswer>('rejections?rounds=1', signal);
    refusedPart.hidden = newest.length === 0;
    refused.show(
      newest.slice(0, 20).map(({ atMs, device, reason }) => [agoText(atMs, Date.now()), boardLink(device), reason]),
    );
  });
  const current = startReading(async (signal) => {
    const answer = await getJson<OpenAnswer | null>('rounds/current', signal);
    if (answer === null) open.close(model.now().fleet);
    else open.show(answer);
  });
  more.addEventListener('click', () => {
    pages++;
    closed.again();
  });
  return {
    title: 'Rounds',
    element: element(
      'div',
      {},
      open.element,
      refusedPart,
      element('h2', {}, 'Closed'),
      closed.element,
      table.element,
      more,
    ),
    update({ boards, closedRounds, isAll }) {
      if (closedRounds.length > 0 || isAll) closed.again();
      if (boards.size > 0 || closedRounds.length > 0 || isAll) current.again();
    },
    tick: () => undefined,
    stop() {
      closed.stop();
      current.stop();
    },
  };
}

export function boardLink(device: string): HTMLElement {
  return element('a', { href: `#/boards/${encodeURIComponent(device)}` }, device);
}

function lineOf(line: RoundLine) {
  return [
    element('a', { href: `#/rounds/${line.round}` }, line.round),
    line.closedMs === null ? '–' : agoText(line.closedMs, Date.now()),
    line.boards,
    line.refused === 0 ? '0' : element('span', { class: 'warn' }, line.refused),
    durationText(line.durationMs),
    percentText(line.online?.accuracy, 1),
    percentText(line.clean, 1),
    bytesText(line.bytes.payload),
  ];
}

function createOpenRound() {
  const heading = element('h2', {}, 'No round is open');
  const words = element('p', { class: 'lead' });
  const waiting = element('p', { class: 'muted' });
  const arrivals = createArrivals();
  return {
    element: element('section', { class: 'open-round' }, heading, words, waiting, arrivals.element),
    /** What was shown of it stays, until the next one opens. */
    close({ isPaused, lastRound }: FleetAnswer) {
      const what = lastRound === null ? 'No round is open' : `Round ${lastRound} has closed`;
      setText(heading, isPaused ? `${what}; rounds are paused` : what);
      setText(waiting, '');
    },
    show({ round, openForMs, deadlineMs, asked, counted, waitingFor }: OpenAnswer) {
      setText(heading, `Round ${round} is open`);
      const until = deadlineMs === 0 ? 'until enough have answered' : `at most ${durationText(deadlineMs)}`;
      setText(
        words,
        `${counted.length} of ${asked.length} have answered. Open for ${durationText(openForMs)}, ${until}.`,
      );
      const rest = waitingFor.length - WAITING_SHOWN;
      const names = `${waitingFor.slice(0, WAITING_SHOWN).join(', ')}${rest > 0 ? ` and ${countText(rest, 'other')}` : ''}`;
      setText(waiting, waitingFor.length === 0 ? '' : `Waited for: ${names}`);
      arrivals.show(counted, Math.max(openForMs, ...counted.map(({ arrivedMs }) => arrivedMs ?? 0)));
    },
  };
}
