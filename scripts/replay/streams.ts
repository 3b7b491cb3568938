/** Which windows a board lives, in which order and with which labels, before anything fails. By seed. */
import { dirichlet } from '../../core/math/dirichlet.ts';
import type { Rng } from '../../core/math/rng.ts';
import type { Window } from '../../core/stream/window.ts';

export interface BoardStream {
  /** A subject, or the number of a board that has windows of many. */
  readonly name: string;
  /** In the order of living. */
  readonly windows: readonly Window[];
}

/**
 * Deals the windows of each class to boards `1` … `boards` in shares drawn from Dirichlet(α), and shuffles each board's.
 * A board may get nothing.
 */
export function dealtByClass(
  windows: readonly Window[],
  { boards, alpha }: { readonly boards: number; readonly alpha: number },
  rng: Rng,
): BoardStream[] {
  const hands: Window[][] = Array.from({ length: boards }, () => []);
  const labels = [...new Set(windows.map(({ label }) => label))];
  for (const label of labels) {
    const ofClass = rng.fork(`class/${label}`);
    const deck = ofClass.shuffled(windows.filter((window) => window.label === label));
    let sum = 0;
    let from = 0;
    dirichlet(boards, alpha, ofClass).forEach((share, board) => {
      sum += share;
      const to = board === boards - 1 ? deck.length : Math.floor(sum * deck.length);
      hands[board]?.push(...deck.slice(from, to));
      from = to;
    });
  }
  return hands.map((hand, board) => ({ name: `${board + 1}`, windows: rng.fork(`order/${board}`).shuffled(hand) }));
}

/** The windows, followed by themselves in new random orders, until there are at least `count`; as they are when there are enough or none. */
export function filledUp(windows: readonly Window[], count: number, rng: Rng): readonly Window[] {
  if (windows.length === 0 || windows.length >= count) return windows;
  const out = [...windows];
  while (out.length < count) out.push(...rng.shuffled(windows).slice(0, count - out.length));
  return out;
}

/** For each of `count` windows whether the board is told its label: ⌈share · count⌉ of them, drawn. */
export function toldLabels(count: number, share: number, rng: Rng): boolean[] {
  const told = new Set(rng.shuffled([...Array(count).keys()]).slice(0, Math.ceil(share * count)));
  return Array.from({ length: count }, (_, i) => told.has(i));
}
