/**
 * How a run is told from the others: a letter, a colour and a dash pattern at once, so that the page reads without colour too.
 * The colours (`--run-0` …, in style.ts) are told apart with red-green and blue-yellow blindness.
 */
import { html, type Markup } from './markup.ts';

/** As many as style.ts has colours; the ninth run repeats the first one's colour and dashes, but not its letter. */
const DASHES: readonly (readonly number[])[] = [
  [],
  [9, 4],
  [2, 3],
  [9, 3, 2, 3],
  [14, 4],
  [5, 3],
  [9, 3, 2, 3, 2, 3],
  [3, 5],
];

/** A, B, …, Z, A1, B1, … */
export function runLetter(index: number): string {
  const round = Math.floor(index / 26);
  return String.fromCharCode(65 + (index % 26)) + (round === 0 ? '' : String(round));
}

export function runDash(index: number): readonly number[] {
  return DASHES[index % DASHES.length] ?? [];
}

export function runClass(index: number): string {
  return `run-${index % DASHES.length}`;
}

/** A piece of the run's line with its letter, in its colour. */
export function runSwatch(index: number): Markup {
  return html`<span class="swatch ${runClass(index)}"><svg width="26" height="8" aria-hidden="true"><line x1="0" y1="4" x2="26" y2="4" stroke="currentColor" stroke-width="2.5" stroke-dasharray="${runDash(index).join(' ')}"/></svg><b>${runLetter(index)}</b></span>`;
}
