/** What was not stored, or not kept: counted by cause and kind, in the database, for good. */

export type LossCause = 'age' | 'cap' | 'stop' | 'disk-full';
/** A used window is one that the learner is done with: it has learned from it, or passed it over. Losing it costs the fleet nothing. */
export type LossKind = 'samples' | 'used-windows' | 'unused-windows';

export interface LossCount {
  readonly cause: LossCause;
  readonly kind: LossKind;
  readonly count: number;
}

/** `cause/kind` → count; as it is stored. */
export type Losses = Partial<Record<`${LossCause}/${LossKind}`, number>>;

/** What was lost at a time, without its cause. */
export type Lost = Readonly<Partial<Record<LossKind, number>>>;

const KINDS: readonly LossKind[] = ['samples', 'used-windows', 'unused-windows'];

/** `losses` with `lost` added, a new object. */
export function withLost(losses: Losses, cause: LossCause, lost: Lost): Losses {
  const next = { ...losses };
  for (const kind of KINDS) {
    const count = lost[kind] ?? 0;
    if (count > 0) next[`${cause}/${kind}`] = (next[`${cause}/${kind}`] ?? 0) + count;
  }
  return next;
}

/** The sum of both, a new object. */
export function addLosses(a: Losses, b: Losses): Losses {
  return lossCounts(b).reduce((sum, { cause, kind, count }) => withLost(sum, cause, { [kind]: count }), a);
}

export function lossCounts(losses: Losses): LossCount[] {
  return Object.entries(losses).map(([key, count]) => {
    const [cause, kind] = key.split('/') as [LossCause, LossKind];
    return { cause, kind, count };
  });
}
