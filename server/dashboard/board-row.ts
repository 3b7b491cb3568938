/** A board in the overview: who, when, how its sensors are and why, what waits. Only what has changed is written. */
import type { BoardLine, ModalityLine } from '../http/board-list.ts';
import { HISTORY } from './apply-event.ts';
import { element, setAttribute, setText } from './element.ts';
import { agoText, bytesText, percentText } from './figure-text.ts';
import { createSparkline } from './sparkline.ts';
import { BAD_QUALITY, FAIR_QUALITY, modalityText, reasonText } from './trouble.ts';
import type { VirtualRow } from './virtual-list.ts';

/** @param read what is known of a board now; undefined when it is gone */
export function createBoardRow(
  modalities: readonly string[],
  read: (device: string) => BoardLine | undefined,
): VirtualRow {
  const link = element('a', {});
  const mark = element('span', { class: 'state', 'aria-hidden': 'true' });
  const seen = element('span', { class: 'muted' });
  const round = element('span', {});
  const answer = element('span', { class: 'muted' });
  const cells = modalities.map((name) => createQualityCell(modalityText(name)));
  const accuracy = cell('number accuracy');
  const backlog = cell('number backlog');
  const bytes = cell('number bytes-sent');
  const row = element(
    'div',
    { class: 'row', role: 'row' },
    element('div', { role: 'cell', class: 'who' }, mark, element('span', { class: 'two' }, link, seen)),
    element('div', { role: 'cell', class: 'round' }, element('span', { class: 'two' }, round, answer)),
    ...cells.map(({ element: made }) => made),
    ...[accuracy, backlog, bytes],
  );
  return {
    element: row,
    show(device, index) {
      setAttribute(row, 'aria-rowindex', String(index + 2));
      setAttribute(link, 'href', `#/boards/${encodeURIComponent(device)}`);
      setAttribute(link, 'title', device);
      setText(link, device);
      const board = read(device);
      if (board === undefined) return;
      setAttribute(mark, 'class', `state ${board.state}`);
      setText(seen, `${board.state} · ${agoText(board.lastSeenMs, Date.now())}`);
      setText(round, board.lastRound === null ? '–' : `round ${board.lastRound}`);
      setText(answer, board.hasAnswered ? 'answered' : board.isAsked ? 'waited for' : 'not asked');
      for (const [m, one] of cells.entries())
        one.show(board.modalities[m], board.missing.includes(modalities[m] ?? ''));
      setText(accuracy, percentText(board.accuracy));
      setText(backlog, board.backlog === null ? '–' : board.backlog.toLocaleString('en'));
      setText(bytes, bytesText(board.bytes));
    },
  };
}

function cell(name: string): HTMLElement {
  return element('div', { role: 'cell', class: name });
}

function createQualityCell(name: string) {
  const curve = createSparkline(HISTORY);
  const value = element('span', { class: 'value' });
  const why = element('span', { class: 'why' });
  const label = element('span', { class: 'modality', 'aria-hidden': 'true' }, name);
  const two = element('span', { class: 'two' }, value, why);
  const made = element('div', { role: 'cell', class: 'quality' }, label, curve.element, two);
  return {
    element: made,
    show(line: ModalityLine | undefined, isMissing: boolean) {
      const { level, text, reason } = qualityText(line, isMissing);
      setAttribute(made, 'class', `quality ${level}`);
      setText(value, text);
      setText(why, reason);
      curve.show(line?.history ?? []);
    },
  };
}

/** How a modality is, as a level, a figure and a reason. */
export function qualityText(line: ModalityLine | undefined, isMissing: boolean) {
  if (line === undefined)
    return { level: isMissing ? 'bad' : 'unknown', text: '–', reason: isMissing ? 'missing' : '' };
  const { quality, badRounds } = line;
  const reason = reasonText(line);
  const level = quality === null || quality < BAD_QUALITY ? 'bad' : quality < FAIR_QUALITY ? 'warn' : 'good';
  const since = badRounds > 1 ? `, ${badRounds} rounds` : '';
  return {
    level,
    text: quality === null ? '–' : percentText(quality),
    reason: reason === null ? 'well' : reason + since,
  };
}
