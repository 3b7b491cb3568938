/** The slice of the configuration that rounds are run by. */
import type { UpdateLimits } from '../core/wire/limits.ts';

export interface RoundSettings {
  /** Seed of the first parameters. */
  readonly seed: number;
  /** Boards that must be online before a round opens, at least 1; those whose stream has ended are forgiven. */
  readonly minBoards: number;
  /** Training rounds; 0 = until every board's stream has ended. */
  readonly maxRounds: number;
  /** Share of the boards asked that closes a round, in (0, 1]. */
  readonly quorum: number;
  /** Milliseconds after which a round closes with whoever has been counted; 0 = never. */
  readonly deadlineMs: number;
  /** Evaluate after every n-th training round, n ≥ 1, and always after the last. */
  readonly evaluateEvery: number;
  /** Rounds that an update may be late by and still count, with less weight; 0 = it is refused. */
  readonly lateRounds: number;
  readonly limits: UpdateLimits;
  /** Boards that are known at a time, at least 1. */
  readonly maxBoards: number;
  /** Updates a minute that are read of one board; 0 = all. */
  readonly updatesPerMinute: number;
}
