/**
 * An adaptive binary range coder: a decision that is likely under its model costs a fraction of a bit.
 * Integers only and below 2⁵³, so that every machine writes and reads the same bytes. A byte leaves as soon as both ends of
 * the interval agree on it, so there is no carry. The end is the shortest one that names the interval: a row of
 * bits has one row of bytes. The reader never throws and does a bounded amount of work for each decision.
 * Sources: Witten, Neal, Cleary, CACM 1987; the carryless form and counted models after Mahoney, lpaq1 (2007).
 */

/** How likely each of some binary decisions is to be 1, learned from those before. Owned by one encoder or decoder. */
export interface BitModels {
  /** Probability of 1, in 2⁻¹⁶, within 32 … 2¹⁶ − 32. */
  readonly chance: Uint16Array;
  /** Decisions seen, up to `MEMORY`. */
  readonly seen: Uint16Array;
}

export interface BitEncoder {
  /** Writes `bit` (0 or 1) under model `at` and lets the model learn it. */
  write(models: BitModels, at: number, bit: number): void;
  /** The bytes of all decisions. Ends the encoder's use. */
  finish(): Uint8Array;
}

export interface BitDecoder {
  /** The next bit under model `at`, which learns it. Behind the end of the bytes it reads zeros. */
  read(models: BitModels, at: number): number;
  /** Whether the bytes are those that an encoder writes for what was read, no more and no others. */
  isAtEnd(): boolean;
}

const ONE = 2 ** 16;
/** No chance comes nearer to 0 or 1 than this: both parts of an interval are always there. */
const LEAST = 32;
/** A model weighs the past as so many decisions at most; of 127 to 1023, the shortest on model changes from HAPT. */
const MEMORY = 127;
/** The ends of the interval are 32 bits, kept less 2³¹: JavaScript has fast integers with a sign. */
const LEAST_END = -(2 ** 31);
const LAST_END = 2 ** 31 - 1;
/** Bytes of them. */
const WINDOW = 4;

/** `count` models that know nothing. */
export function createBitModels(count: number): BitModels {
  return { chance: new Uint16Array(count).fill(ONE / 2), seen: new Uint16Array(count) };
}

/** After n decisions the chance is (ones + ½) / (n + 1), the estimator of Krichevsky and Trofimov, until memory is full. */
function learn({ chance, seen }: BitModels, at: number, bit: number): void {
  const n = seen[at] as number;
  const old = chance[at] as number;
  const next = old + Math.trunc((bit * ONE - old) / (n + 2));
  chance[at] = Math.max(LEAST, Math.min(ONE - LEAST, next));
  if (n < MEMORY) seen[at] = n + 1;
}

/** Where the interval [low, high] is cut: 1 is the lower part. low ≤ cut < high always. */
function cutOf(low: number, high: number, chance: number): number {
  const width = (high - low) >>> 0;
  return (low + (width >>> 16) * chance + (((width & 0xffff) * chance) >>> 16)) | 0;
}

/** Whether both ends have the same top byte. */
function isSettled(low: number, high: number): boolean {
  return low >> 24 === high >> 24;
}

/** Drops the top byte and takes in another at the bottom. */
function shifted(end: number, byte: number): number {
  return ((end << 8) | byte) ^ LEAST_END;
}

/** The 32-bit number in the interval that takes the fewest bytes, zeros behind it left out, and how many these are. */
function endOf(low: number, high: number): { end: number; bytes: number } {
  const least = low - LEAST_END;
  const most = high - LEAST_END;
  let end = 0;
  let bytes = 0;
  for (let unit = 2 ** 24; end < least; unit /= 256) {
    end = Math.floor(most / unit) * unit;
    bytes++;
  }
  return { end, bytes };
}

export function createBitEncoder(): BitEncoder {
  let bytes = new Uint8Array(256);
  let length = 0;
  let low = LEAST_END;
  let high = LAST_END;
  const push = (byte: number) => {
    if (length === bytes.length) {
      const more = new Uint8Array(2 * length);
      more.set(bytes);
      bytes = more;
    }
    bytes[length++] = byte;
  };
  return {
    write(models, at, bit) {
      const cut = cutOf(low, high, models.chance[at] as number);
      if (bit === 1) high = cut;
      else low = cut + 1;
      learn(models, at, bit);
      while (isSettled(low, high)) {
        push((high >>> 24) ^ 0x80);
        low = shifted(low, 0);
        high = shifted(high, 255);
      }
    },
    finish() {
      const last = endOf(low, high);
      for (let i = 0; i < last.bytes; i++) push((last.end >>> (24 - 8 * i)) & 255);
      return bytes.slice(0, length);
    },
  };
}

/** Reads `bytes`, which must not change meanwhile. */
export function createBitDecoder(bytes: Uint8Array): BitDecoder {
  let at = 0;
  let low = LEAST_END;
  let high = LAST_END;
  let code = 0;
  const next = () => bytes[at++] ?? 0;
  for (let i = 0; i < WINDOW; i++) code = shifted(code, next());
  return {
    read(models, model) {
      const cut = cutOf(low, high, models.chance[model] as number);
      const bit = code <= cut ? 1 : 0;
      if (bit === 1) high = cut;
      else low = cut + 1;
      learn(models, model, bit);
      while (isSettled(low, high)) {
        low = shifted(low, 0);
        high = shifted(high, 255);
        code = shifted(code, next());
      }
      return bit;
    },
    isAtEnd() {
      const last = endOf(low, high);
      return bytes.length === at - WINDOW + last.bytes && code - LEAST_END === last.end;
    },
  };
}
