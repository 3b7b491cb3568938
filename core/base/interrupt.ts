/**
 * Ctrl-C and SIGTERM: the first one asks for an orderly end, one more ends the program at once. One Ctrl-C may come twice, from the
 * terminal and from npx, npm or timeout, which pass it on; what comes within a second of the first is the same wish.
 */
import { systemClock } from './clock.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const SAME_WISH_MS = 1000;

/** Listens until the function that it returns is called. */
export function onInterrupt(end: () => void): () => void {
  let firstMs: number | null = null;
  const listener = (signal: NodeJS.Signals) => {
    if (firstMs === null) {
      firstMs = systemClock.nowMs();
      end();
    } else if (systemClock.nowMs() - firstMs > SAME_WISH_MS) {
      stop();
      process.kill(process.pid, signal); // nobody listens now: it ends the program
    }
  };
  const stop = () => {
    for (const signal of SIGNALS) process.off(signal, listener);
  };
  for (const signal of SIGNALS) process.on(signal, listener);
  return stop;
}
