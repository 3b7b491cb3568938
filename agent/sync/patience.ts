/**
 * How long a receipt is waited for before the update is sent again, learned from how long receipts took: a busy aggregator must not
 * be sent everything twice for being busy. As TCP sets its retransmission timer: smoothed delay + 4 × its variation (RFC 6298 §2).
 */

/** RFC 6298 §2.3. */
const GAIN = 1 / 8;
const VARIATION_GAIN = 1 / 4;
const VARIATIONS = 4;
/** No wait is longer than this, milliseconds (RFC 6298 §2.5 wants 60 s at least). */
const LONGEST_MS = 60_000;

export interface Patience {
  /** Milliseconds, from `shortestMs` to a minute. */
  currentMs(): number;
  /** A receipt has taken so long. */
  answered(delayMs: number): void;
}

export function createPatience(shortestMs: number): Patience {
  let smoothedMs: number | null = null;
  let variationMs = 0;
  const bounded = (ms: number) => Math.max(shortestMs, Math.min(LONGEST_MS, ms));
  return {
    currentMs: () => bounded((smoothedMs ?? 0) + VARIATIONS * variationMs),
    answered(delayMs) {
      if (smoothedMs === null) {
        smoothedMs = delayMs;
        variationMs = delayMs / 2;
      } else {
        variationMs += VARIATION_GAIN * (Math.abs(smoothedMs - delayMs) - variationMs);
        smoothedMs += GAIN * (delayMs - smoothedMs);
      }
    },
  };
}
