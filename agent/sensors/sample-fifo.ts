/**
 * Reading a FIFO that is a queue of whole samples. What it gives is complete, or said not to be: after an overflow, after samples that
 * make no sense, and after a transaction that failed while samples were being taken, since nobody knows how many of them have left
 * the FIFO. In each case it is emptied and started again, and the burst says so.
 * An overflow can also happen between the look at the level and the taking, and on some chips taking samples clears its flag. It is
 * ruled out by time: no more can have come meanwhile than there was room for; else by the flag, where that outlives the taking.
 */
import type { Burst } from './chip.ts';

/** What a chip's FIFO does its own way. It counts in samples, or in whatever the chip counts: `capacity`, `waiting` and the like. */
export interface SampleFifo {
  /** Infinity for a chip whose data themselves tell of an overflow. */
  readonly capacity: number;
  /** By the settings; oscillators are off by percents. */
  readonly perSecond: number;
  /** One transaction, about a kilobyte. */
  readonly mostPerTake: number;
  /** How much waits, and when that was known. Null: samples have been lost. Takes nothing out. */
  level(): Promise<{ readonly waiting: number | null; readonly knownUs: number }>;
  /** Takes `count`, oldest first; null when what came cannot be trusted. */
  take(count: number): Promise<Burst['values'] | null>;
  /** Whether it has overflowed, by a flag that taking does not clear. Left out: what time does not rule out counts as lost. */
  hasOverflowed?(): Promise<boolean>;
  /** Empties and starts it. */
  restart(): Promise<void>;
}

export interface SampleReader {
  restart(): Promise<void>;
  /** All that waited when the level was read. */
  read(): Promise<Burst>;
}

/** Chips may sample faster than they say, by this share. */
const RATE_TOLERANCE = 1.1;

/** @param modalities how many the chip has */
export function createSampleReader(fifo: SampleFifo, modalities: number, nowUs: () => number): SampleReader {
  let isWhole = true;

  async function restart(): Promise<void> {
    isWhole = false;
    await fifo.restart();
    isWhole = true;
  }

  function mayHaveRunOver(left: number, sinceUs: number): boolean {
    const come = 1 + Math.floor(((nowUs() - sinceUs) / 1e6) * fifo.perSecond * RATE_TOLERANCE);
    return left + come > fifo.capacity;
  }

  async function hasRunOver(left: number, sinceUs: number): Promise<boolean> {
    return mayHaveRunOver(left, sinceUs) && (fifo.hasOverflowed === undefined || (await fifo.hasOverflowed()));
  }

  async function takeAll(waiting: number, sinceUs: number): Promise<Burst['values'] | null> {
    const takes: Burst['values'][] = [];
    for (let left = waiting; left > 0; left -= fifo.mostPerTake) {
      const values = await fifo.take(Math.min(left, fifo.mostPerTake));
      if (values === null || (await hasRunOver(left, sinceUs))) return null;
      takes.push(values);
    }
    return Array.from({ length: modalities }, (_, modality) =>
      joined(takes.map((values) => values[modality] ?? new Float32Array(0))),
    );
  }

  return {
    restart,
    async read() {
      const askedUs = nowUs();
      const { waiting, knownUs } = await fifo.level();
      if (isWhole && waiting !== null) {
        isWhole = waiting === 0; // else not before they are safely here
        const values = await takeAll(waiting, askedUs);
        isWhole = values !== null;
        if (values !== null) return { values, knownUs, overflowed: false };
      }
      await restart();
      const values = Array.from({ length: modalities }, () => new Float32Array(0));
      return { values, knownUs, overflowed: true };
    },
  };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const all = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
