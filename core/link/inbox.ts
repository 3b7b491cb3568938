/**
 * The receiving half that every transport shares: which handler gets a message, one message at a time.
 * Invariant: `done(true)` is called after the handlers of a message have resolved and before those of the next one start.
 */
import type { Log } from '../base/log.ts';
import { matchesFilter } from './topic-filter.ts';
import type { Message, MessageHandler } from './transport.ts';

export interface Inbox {
  /** Replaces the handler of a filter that is there already. */
  listen(filter: string, handler: MessageHandler): void;
  filters(): string[];
  /** Queues a message; `done` is told whether all its handlers resolved. */
  push(message: Message, done: (handled: boolean) => void): void;
  /** Payload bytes that wait for their handlers. */
  waitingBytes(): number;
  /** Resolves when no handler runs and none is waiting. */
  idle(): Promise<void>;
}

export function createInbox(log: Log): Inbox {
  const handlers = new Map<string, MessageHandler>();
  let waitingBytes = 0;
  let tail: Promise<void> = Promise.resolve();

  async function handle(message: Message): Promise<boolean> {
    try {
      for (const [filter, handler] of handlers) if (matchesFilter(filter, message.topic)) await handler(message);
      return true;
    } catch (error) {
      log.error({ topic: message.topic, error: String(error) }, 'message handler failed');
      return false;
    }
  }

  return {
    listen: (filter, handler) => void handlers.set(filter, handler),
    filters: () => [...handlers.keys()],
    push(message, done) {
      waitingBytes += message.payload.length;
      tail = tail.then(async () => {
        const handled = await handle(message);
        waitingBytes -= message.payload.length;
        done(handled);
      });
    },
    waitingBytes: () => waitingBytes,
    async idle() {
      for (let seen = null; seen !== tail; ) {
        seen = tail;
        await seen;
      }
    },
  };
}
