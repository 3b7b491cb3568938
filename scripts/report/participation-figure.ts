/**
 * Which board's update was counted in which round: one strip a board, filled where it was, faint where only some seeds counted it.
 * Neighbouring rounds of equal share are one rectangle, so a fleet that never failed costs a rectangle a board.
 */
import type { RunResult } from '../replay/run-result.ts';
import { html, type Markup } from './markup.ts';
import { runClass, runSwatch } from './run-key.ts';

/** More strips than this are unreadable; the boards that were counted least often are the ones to look at. */
const MAX_STRIPS = 64;

export interface Participation {
  /** The run's rounds, ascending. */
  readonly rounds: readonly number[];
  /** Sorted by name. `shares`: per round, seeds that counted the board over seeds that had the round, in [0, 1]. */
  readonly boards: readonly { readonly name: string; readonly shares: readonly number[] }[];
}

export function participationOf(run: RunResult): Participation {
  const records = run.perSeed.flatMap((seed) => seed.records);
  const rounds = [...new Set(records.map((record) => record.round))].sort((a, b) => a - b);
  const column = new Map(rounds.map((round, index) => [round, index]));
  const seedsPerRound = rounds.map(() => 0);
  const counts = new Map<string, number[]>();
  for (const record of records) {
    const at = column.get(record.round) ?? 0;
    seedsPerRound[at] = (seedsPerRound[at] ?? 0) + 1;
    for (const device of record.devices) {
      const row = counts.get(device) ?? rounds.map(() => 0);
      row[at] = (row[at] ?? 0) + 1;
      counts.set(device, row);
    }
  }
  const boards = [...counts].map(([name, row]) => ({ name, shares: row.map((n, at) => n / (seedsPerRound[at] ?? 1)) }));
  return { rounds, boards: boards.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

export function participationFigure(runs: readonly RunResult[]): Markup {
  return html`<div class="participation">${runs.map(fleet)}</div>`;
}

function fleet(run: RunResult, index: number): Markup {
  const { rounds, boards } = participationOf(run);
  const mean = (shares: readonly number[]) =>
    shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length);
  const isCut = boards.length > MAX_STRIPS;
  const shown = isCut ? boards.toSorted((a, b) => mean(a.shares) - mean(b.shares)).slice(0, MAX_STRIPS) : boards;
  const overall = boards.reduce((sum, board) => sum + mean(board.shares), 0) / Math.max(1, run.boards);
  const stripPx = Math.max(4, Math.min(12, Math.floor(260 / Math.max(1, shown.length))));
  const height = shown.length * stripPx;
  const share = `${(overall * 100).toFixed(1)} % of board rounds counted`;
  const names =
    stripPx < 9
      ? []
      : shown.map(
          (board, row) =>
            html`<text x="100%" y="${row * stripPx + stripPx - 2}" text-anchor="end">${board.name}</text>`,
        );
  return html`
<div>
<p>${runSwatch(index)} ${run.title}<br><span class="muted">${share}${rejections(run)}${isCut ? `; the ${MAX_STRIPS} of ${boards.length} boards counted least often` : ''}</span></p>
<div class="strips">
${names.length === 0 ? [] : [html`<svg class="names" height="${height}" aria-hidden="true">${names}</svg>`]}
<svg class="fleet ${runClass(index)}" height="${height}" role="img" aria-label="${run.title}: ${share}">${shown.map((board, row) => strip(board.shares, row * stripPx, stripPx - 2))}</svg>
</div>
<p class="ends"><span>round ${rounds.at(0) ?? 0}</span><span>round ${rounds.at(-1) ?? 0}</span></p>
</div>`;
}

function strip(shares: readonly number[], y: number, height: number): Markup {
  const rectangles = [html`<rect class="empty" x="0" y="${y}" width="100%" height="${height}"/>`];
  for (let from = 0; from < shares.length; ) {
    const share = shares[from] ?? 0;
    let to = from + 1;
    while (to < shares.length && shares[to] === share) to++;
    const percent = (rounds: number) => `${((rounds / shares.length) * 100).toFixed(3)}%`;
    if (share > 0)
      rectangles.push(
        html`<rect x="${percent(from)}" y="${y}" width="${percent(to - from)}" height="${height}" fill-opacity="${share.toFixed(2)}"/>`,
      );
    from = to;
  }
  return html`${rectangles}`;
}

function rejections(run: RunResult): string {
  const counts = new Map<string, number>();
  for (const record of run.perSeed.flatMap((seed) => seed.records)) {
    for (const [reason, count] of Object.entries(record.rejected))
      counts.set(reason, (counts.get(reason) ?? 0) + count);
  }
  const listed = [...counts].sort((a, b) => b[1] - a[1]).map(([reason, count]) => `${count} ${reason}`);
  return listed.length === 0 ? '' : `; rejected: ${listed.join(', ')}`;
}
