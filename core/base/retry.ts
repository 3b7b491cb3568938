/**
 * Exponential back-off with full jitter: a fleet that lost its broker together must not come back together.
 * The n-th delay is uniform in [0, min(capMs, baseMs·2ⁿ)].
 */
export interface BackoffOptions {
  /** Upper bound of the first delay, milliseconds. */
  readonly baseMs: number;
  /** Upper bound of every delay, milliseconds. */
  readonly capMs: number;
}

/** Delay before attempt `attempt` (0 = the first retry), with `random` uniform in [0, 1). */
export function backoffMs(attempt: number, options: BackoffOptions, random: () => number): number {
  return random() * Math.min(options.capMs, options.baseMs * 2 ** Math.min(attempt, 30));
}
