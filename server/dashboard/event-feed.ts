/**
 * The aggregator's events (server-sent events, WHATWG HTML §9.2), read with `fetch` because an `EventSource` cannot send a token.
 * Comes back by itself with the id of the last event, so nothing is missed; `reset` says that everything must be read anew.
 */
import { readingHeaders } from './api.ts';

export interface FeedEvent {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface EventFeed {
  stop(): void;
}

export interface EventFeedOptions {
  /** Id of the last event that is known already. */
  readonly after: string;
  readonly onEvent: (event: FeedEvent) => void;
  /** Whether the aggregator is heard. */
  readonly onConnection: (isUp: boolean) => void;
}

const RETRY_MS = 2000;

export function startEventFeed({ after, onEvent, onConnection }: EventFeedOptions): EventFeed {
  const stopping = new AbortController();
  let last = after;
  const take = (block: string) => {
    const event = eventOf(block);
    if (event.id !== null) last = event.id;
    if (event.data !== null) onEvent({ type: event.type, data: event.data });
  };
  const listen = async () => {
    const response = await fetch(`/api/v1/events?after=${encodeURIComponent(last)}`, {
      headers: { ...readingHeaders(), Accept: 'text/event-stream' },
      signal: stopping.signal,
    });
    if (!response.ok || response.body === null) throw new Error(`events: ${response.status}`);
    onConnection(true);
    await readBlocks(response.body, take);
  };
  const again = () => {
    if (stopping.signal.aborted) return;
    onConnection(false);
    setTimeout(run, RETRY_MS);
  };
  const run = () => {
    if (!stopping.signal.aborted) listen().then(again, again);
  };
  run();
  return { stop: () => stopping.abort() };
}

async function readBlocks(body: ReadableStream<Uint8Array>, take: (block: string) => void): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += decoder.decode(value, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) take(block);
  }
}

function eventOf(block: string): { id: string | null; type: string; data: Record<string, unknown> | null } {
  let id: string | null = null;
  let type = 'message';
  let data = '';
  for (const line of block.split('\n')) {
    if (line.startsWith('id: ')) id = line.slice(4);
    else if (line.startsWith('event: ')) type = line.slice(7);
    else if (line.startsWith('data: ')) data += line.slice(6);
  }
  return { id, type, data: data === '' ? null : (JSON.parse(data) as Record<string, unknown>) };
}
