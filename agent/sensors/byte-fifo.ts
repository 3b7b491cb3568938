/**
 * Reading a FIFO that is a queue of bytes and knows nothing of frames, as InvenSense's are: when it overflows, the oldest bytes go, and
 * what remains begins inside a frame. Axes would change places from then on, silently and for good.
 * Invariant: bytes are handed on only when nothing has been lost since the FIFO was last emptied. Loss is an overflow, seen by the
 * chip's flag or the level; or a transaction that failed, after which nobody knows how many bytes have left the FIFO.
 * Source: RS-MPU-6000A rev. 4.2, sections 4.29 to 4.31 (FIFO_COUNT, FIFO_R_W: "the oldest data will be lost").
 */

/** Chips may sample faster than they say, by this share. */
const RATE_TOLERANCE = 1.1;

export interface ByteFifo {
  frameBytes(): number;
  sizeBytes(): number;
  readonly framesPerSecond: number;
  /** Whether it has overflowed since this was asked last. */
  hasOverflowed(): Promise<boolean>;
  /** The two bytes of the level, high byte first, in one transaction; and when. */
  level(): Promise<{ readonly bytes: Uint8Array; readonly knownUs: number }>;
  /** At most what it holds, in one transaction: 1024 bytes are 23 ms of a bus at 400 kHz. */
  take(length: number): Promise<Uint8Array>;
  /** Stops, empties and starts it, with the flag of overflow cleared. */
  restart(): Promise<void>;
}

export interface Frames {
  /** Whole frames, oldest first. */
  readonly bytes: Uint8Array;
  readonly knownUs: number;
  readonly overflowed: boolean;
}

export interface FrameReader {
  /** Begins with an empty FIFO; nothing counts as lost. */
  restart(): Promise<void>;
  read(): Promise<Frames>;
}

export function createFrameReader(fifo: ByteFifo, nowUs: () => number): FrameReader {
  let isWhole = false;

  async function restart(): Promise<void> {
    isWhole = false;
    await fifo.restart();
    isWhole = true;
  }

  async function afterLoss(): Promise<Frames> {
    await restart();
    return { bytes: new Uint8Array(0), knownUs: nowUs(), overflowed: true };
  }

  /** Whether the FIFO can have filled up while it was read. */
  function mayHaveFilled(level: number, sinceUs: number): boolean {
    const frames = 1 + ((nowUs() - sinceUs) / 1e6) * fifo.framesPerSecond * RATE_TOLERANCE;
    return level + Math.ceil(frames) * fifo.frameBytes() > fifo.sizeBytes();
  }

  return {
    restart,
    async read() {
      if (!isWhole || (await fifo.hasOverflowed())) return await afterLoss();
      const { bytes: levelBytes, knownUs } = await fifo.level();
      const level = ((levelBytes[0] ?? 0) << 8) | (levelBytes[1] ?? 0);
      if (level >= fifo.sizeBytes()) return await afterLoss();
      const frameBytes = fifo.frameBytes();
      const length = Math.floor(level / frameBytes) * frameBytes;
      if (length === 0) return { bytes: new Uint8Array(0), knownUs, overflowed: false };
      isWhole = false; // until the bytes are safely here
      const bytes = await fifo.take(length);
      if (mayHaveFilled(level, knownUs) && (await fifo.hasOverflowed())) return await afterLoss();
      isWhole = true;
      return { bytes, knownUs, overflowed: false };
    },
  };
}
