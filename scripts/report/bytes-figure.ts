/**
 * Bytes per board and round on a logarithmic axis: one track a run, a mark for each of its numbers.
 * Marks rather than bars: a bar's length means nothing where the axis has no zero. Positions are percentages, so that the
 * figure takes the width it is given and its text keeps its size.
 */
import type { BoardRoundBytes, RunResult } from '../replay/run-result.ts';
import { html, type Markup, NOTHING } from './markup.ts';
import { runClass, runSwatch } from './run-key.ts';
import { formatBytes } from './summary-rows.ts';

interface Mark {
  readonly key: keyof BoardRoundBytes;
  readonly label: string;
  /** SVG path around (0, 0). */
  readonly path: string;
  readonly isHollow: boolean;
}

const MARKS: readonly Mark[] = [
  { key: 'prototypes', label: 'prototypes', path: 'M0-6 6 5H-6Z', isHollow: false },
  { key: 'model', label: 'model changes', path: 'M-5-5H5V5H-5Z', isHollow: false },
  { key: 'total', label: 'everything on the socket', path: 'M0-7 7 0 0 7-7 0Z', isHollow: false },
  { key: 'fp32', label: 'the same content as float32', path: 'M-5 0A5 5 0 1 1 5 0 5 5 0 1 1-5 0Z', isHollow: true },
];

export function bytesFigure(runs: readonly RunResult[]): Markup {
  const all = runs
    .flatMap((run) => MARKS.map((mark) => run.bytes.perBoardRound[mark.key]))
    .filter((bytes) => bytes > 0);
  if (all.length === 0) return html`<p>No run sent anything.</p>`;
  const from = Math.floor(Math.log10(Math.min(...all)));
  const to = Math.max(from + 1, Math.ceil(Math.log10(Math.max(...all))));
  const position = (bytes: number) => `${(((Math.log10(bytes) - from) / (to - from)) * 100).toFixed(2)}%`;
  const decades = Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
  return html`
<ul class="legend marks">${MARKS.map((mark) => html`<li><svg width="16" height="16" aria-hidden="true">${markPath(mark, '8')}</svg> ${mark.label}</li>`)}</ul>
<div class="bytes">
${runs.map((run, index) => track(run, index, decades.map(position), position))}
<svg class="axis" height="22" aria-hidden="true">${decades.map((bytes) => html`<text x="${position(bytes)}" y="16" text-anchor="middle">${formatBytes(bytes).replace('.0 ', ' ')}</text>`)}</svg>
</div>`;
}

function track(run: RunResult, index: number, grid: readonly string[], position: (bytes: number) => string): Markup {
  const bytes = run.bytes.perBoardRound;
  const marks = MARKS.filter((mark) => bytes[mark.key] > 0);
  const spoken = MARKS.map((mark) => `${mark.label} ${formatBytes(bytes[mark.key])}`).join(', ');
  const span =
    bytes.total > 0 && bytes.fp32 > 0
      ? html`<line class="span" x1="${position(bytes.total)}" x2="${position(bytes.fp32)}" y1="14" y2="14"/>`
      : NOTHING;
  return html`
<p>${runSwatch(index)} ${run.title} <span class="muted">${saving(bytes)}</span></p>
<svg class="track ${runClass(index)}" height="28" role="img" aria-label="${run.title}: ${spoken}">
${grid.map((x) => html`<line class="grid" x1="${x}" x2="${x}" y1="0" y2="28"/>`)}${span}
${marks.map((mark) => html`<svg class="mark" x="${position(bytes[mark.key])}">${markPath(mark, '0', '14')}</svg>`)}
</svg>`;
}

function markPath(mark: Mark, x: string, y = x): Markup {
  return html`<path class="${mark.isHollow ? 'hollow' : 'solid'}" transform="translate(${x} ${y})" d="${mark.path}"/>`;
}

function saving({ total, fp32 }: BoardRoundBytes): string {
  if (fp32 === 0 || total === 0) return '';
  const share = 1 - total / fp32;
  const change = share >= 0 ? `${(share * 100).toFixed(1)} % less` : `${(-share * 100).toFixed(1)} % more`;
  return `${formatBytes(total)} against ${formatBytes(fp32)}: ${change}`;
}
