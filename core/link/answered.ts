/** Waits for the broker's answer, the loss of the connection or the time limit, whichever comes first. */
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import { linkError } from './link-error.ts';

export interface AnswerLimits {
  /** For errors. */
  readonly url: string;
  readonly clock: Clock;
  readonly limitMs: number;
}

/** Why the wait has ended. One for all: an abort without a reason makes an exception with its stack, for every message. */
const OVER = new Error('no need to wait any more');

/**
 * @param what for errors, as `PUBACK for x`
 * @param lost aborts with an AppError when the connection is gone
 * @throws AppError `timeout`, or why the link is down
 */
export async function answered<T>(
  answer: Promise<T>,
  what: string,
  lost: AbortSignal,
  { url, clock, limitMs }: AnswerLimits,
): Promise<T> {
  const over = new AbortController();
  const stopWaiting = () => over.abort(OVER);
  lost.addEventListener('abort', stopWaiting, { once: true });
  if (lost.aborted) stopWaiting();
  const tooLate = clock.sleep(limitMs, over.signal).then(() => {
    throw new AppError('timeout', `no ${what} within ${limitMs} ms`, { where: url });
  });
  try {
    return await Promise.race([answer, tooLate]);
  } catch (error) {
    throw lost.aborted ? lost.reason : linkError(error, url);
  } finally {
    lost.removeEventListener('abort', stopWaiting);
    over.abort(OVER);
  }
}
