/**
 * Stands between a socket and the broker: ends a connection whose packet claims too much, reads no faster than the client may send,
 * and lets only so much wait for a client that does not read.
 * Invariant: a client that sends too fast loses nothing, its socket is left unread for a while; what waits for it is never more than
 * `queueBytes` and one packet. A token bucket holds as many packets as may come within `BURST_SECONDS`.
 */
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Clock } from '../../core/base/clock.ts';
import { createPacketScanner, type PacketBounds, type PacketScanner } from './packet-scanner.ts';

export interface ConnectionBounds extends PacketBounds {
  /** Packets that the client may send, acknowledgements not counted. */
  readonly packetsPerSecond: number;
  /** What may wait for the client, bytes. */
  readonly queueBytes: number;
}

export interface GuardHooks {
  readonly clock: Clock;
  /** The client was read no further for a while. */
  onThrottled(): void;
}

const BURST_SECONDS = 2;
const SHORTEST_PAUSE_MS = 20;

/** The socket as the stream that the broker gets. Ends with the socket, and the socket with it. */
export function guardConnection(socket: Socket, bounds: ConnectionBounds, hooks: GuardHooks): Duplex {
  const reader = createReader(socket, bounds, hooks);
  const guarded = new Duplex({
    writableHighWaterMark: bounds.queueBytes,
    read: () => reader.resume(),
    write: (chunk: Uint8Array, _encoding, done) => void socket.write(chunk, done),
    writev(chunks, done) {
      const whole = chunks.map(({ chunk }) => chunk as Uint8Array);
      socket.write(Buffer.concat(whole), done);
    },
    final: (done) => void socket.end(done),
    destroy(error, done) {
      reader.stop();
      socket.destroy();
      done(error);
    },
  });
  reader.start(guarded);
  socket.once('error', (error) => guarded.destroy(error));
  socket.once('close', () => guarded.destroy());
  return guarded;
}

/** Passes bytes on packet by packet as long as there are tokens, and reads the socket when somebody wants them. */
function createReader(socket: Socket, bounds: ConnectionBounds, { clock, onThrottled }: GuardHooks) {
  const scan: PacketScanner = createPacketScanner(bounds);
  const bucket = createBucket(bounds.packetsPerSecond, clock);
  let held: Uint8Array | null = null;
  let hasEnded = false;
  let isFull = false;
  let timer: NodeJS.Timeout | null = null;
  let target: Duplex;

  const take = (chunk: Uint8Array) => {
    const { end, begun, isTooLarge } = scan(chunk, bucket.available());
    if (isTooLarge) return void target.destroy(new Error(`a packet of more than ${bounds.maxBytes} bytes`));
    bucket.spend(begun);
    const wantsMore = end === 0 || target.push(chunk.subarray(0, end));
    isFull = !wantsMore;
    if (end === chunk.length) {
      if (isFull) socket.pause();
      return;
    }
    held = chunk.subarray(end);
    socket.pause();
    onThrottled();
    timer = setTimeout(release, Math.max(SHORTEST_PAUSE_MS, bucket.pauseMs()));
  };
  const release = () => {
    timer = null;
    const rest = held;
    held = null;
    if (rest !== null) take(rest);
    if (held !== null) return;
    if (!isFull) socket.resume();
    if (hasEnded) target.push(null);
  };
  return {
    start(stream: Duplex) {
      target = stream;
      socket.on('data', take);
      socket.once('end', () => {
        hasEnded = true;
        if (held === null) target.push(null);
      });
    },
    resume() {
      isFull = false;
      if (timer === null) socket.resume();
    },
    stop() {
      if (timer !== null) clearTimeout(timer);
      held = null;
    },
  };
}

function createBucket(perSecond: number, clock: Clock) {
  const most = Math.max(1, perSecond * BURST_SECONDS);
  let tokens = most;
  let since = clock.nowMs();
  return {
    /** Whole tokens by now. */
    available(): number {
      const now = clock.nowMs();
      tokens = Math.min(most, tokens + ((now - since) / 1000) * perSecond);
      since = now;
      return Math.floor(tokens);
    },
    spend(count: number): void {
      tokens -= count;
    },
    /** Until there is a whole one. */
    pauseMs: () => Math.ceil(((1 - tokens) / perSecond) * 1000),
  };
}
