/**
 * `/api/v1/events`: what happens, as server-sent events (WHATWG HTML §9.2). An id is `START-NUMBER`; who comes back with one gets what it
 * missed, or `reset` when that is not kept any more or of another start: then it reads everything anew.
 * Invariant: a listener that does not read loses its connection when `MAX_WAITING_BYTES` wait for it, and there are at most `MAX_LISTENERS`.
 */
import type { HttpBindings } from '@hono/node-server';
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Clock } from '../../core/base/clock.ts';
import type { FleetEvent } from '../event-ring.ts';
import type { FleetView } from '../fleet-watch.ts';
import { plainRoute } from './json-route.ts';
import { problem, problemResponse } from './problem.ts';

const MAX_LISTENERS = 64;
const MAX_WAITING_BYTES = 2 ** 20;
const HEARTBEAT_MS = 15_000;
/** What a browser waits before it comes back. */
const RETRY_MS = 2000;

export interface EventStreams {
  count(): number;
  /** Listeners that were dropped because they did not read. */
  dropped(): number;
  /** Ends all of them. */
  close(): void;
}

/** The id of event `number` of this start of the aggregator. */
export function eventId({ startedMs }: FleetView, number: number): string {
  return `${Math.round(startedMs).toString(36)}-${number}`;
}

export function addEventRoute(app: OpenAPIHono, view: FleetView, clock: Clock): EventStreams {
  const ends = new Set<() => void>();
  let dropped = 0;
  const summary = 'Server-sent events; Last-Event-ID or ?after= continues, `reset` says that it cannot';
  const about = {
    path: '/api/v1/events',
    tag: 'events',
    summary,
    type: 'text/event-stream',
    problems: ['too-many'],
  } as const;
  plainRoute(app, about, (c) => {
    if (ends.size >= MAX_LISTENERS) return problemResponse(c, problem('too-many', `at most ${MAX_LISTENERS}`));
    const from = c.req.header('last-event-id') ?? c.req.query('after') ?? null;
    const { outgoing } = c.env as Partial<HttpBindings>;
    const body = streamOf(view, clock, from, ends, () => {
      dropped++;
      outgoing?.destroy(); // the end of the stream would wait behind all that is not read
    });
    return c.body(body, 200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
    });
  });
  return {
    count: () => ends.size,
    dropped: () => dropped,
    close: () => {
      for (const end of [...ends]) end();
    },
  };
}

function streamOf(
  view: FleetView,
  clock: Clock,
  from: string | null,
  ends: Set<() => void>,
  onDrop: () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const over = new AbortController();
  const opening = encoder.encode(`retry: ${RETRY_MS}\n\n${missed(view, from)}`);
  let leave: () => void = () => undefined;
  const end = () => {
    ends.delete(end);
    leave();
    over.abort();
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const say = (text: string) => {
          if (over.signal.aborted) return;
          controller.enqueue(encoder.encode(text));
          if ((controller.desiredSize ?? 0) > 0) return;
          onDrop();
          end();
        };
        ends.add(end);
        over.signal.addEventListener('abort', () => closed(controller), { once: true });
        controller.enqueue(opening);
        leave = view.events.listen((event) => say(framed(view, event)));
        beat(clock, over.signal, () => say(': still here\n\n'));
      },
      cancel: end,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: opening.length + MAX_WAITING_BYTES }),
  );
}

/** Whoever cancelled the stream has closed it already. */
function closed(controller: ReadableStreamDefaultController): void {
  try {
    controller.close();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

function beat(clock: Clock, signal: AbortSignal, say: () => void): void {
  clock.sleep(HEARTBEAT_MS, signal).then(
    () => {
      say();
      beat(clock, signal, say);
    },
    () => undefined, // the stream is over
  );
}

/** What came after the event of this id; nothing for a new listener. */
function missed(view: FleetView, from: string | null): string {
  const newest = view.events.newest();
  if (from === null) return '';
  const [, start, number] = /^([a-z0-9]+)-(\d{1,15})$/.exec(from) ?? [];
  const isOurs = start !== undefined && from === eventId(view, Number(number));
  const events = isOurs ? view.events.after(Number(number)) : null;
  if (events === null) return `id: ${eventId(view, newest)}\nevent: reset\ndata: {}\n\n`;
  return events.map((event) => framed(view, event)).join('');
}

function framed(view: FleetView, { number, type, atMs, data }: FleetEvent): string {
  return `id: ${eventId(view, number)}\nevent: ${type}\ndata: ${JSON.stringify({ atMs, ...data })}\n\n`;
}
