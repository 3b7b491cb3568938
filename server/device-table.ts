/** `qqr server devices` for people: a line a board, columns as wide as they need. */
import type { BoardHistory } from './store/archive.ts';

const HEAD = ['board', 'last round', 'counted', 'clipped', 'last norm', 'refused in the newest 100 rounds'];

export function deviceTable(boards: readonly BoardHistory[]): string[] {
  const rows = [HEAD, ...boards.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd(),
  );
}

function cellsOf({ device, lastRound, counted, clipped, lastNorm, hasEnded, refused }: BoardHistory): string[] {
  const reasons = Object.entries(refused).map(([reason, count]) => `${count} ${reason}`);
  return [
    device,
    `${lastRound ?? '-'}${hasEnded ? ' (ended)' : ''}`,
    `${counted}`,
    `${clipped}`,
    lastNorm === null ? '-' : lastNorm.toPrecision(3),
    reasons.join(', ') || '-',
  ];
}
