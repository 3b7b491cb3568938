/**
 * Seeded random numbers, the same on every machine: xoshiro128** (Blackman, Vigna 2018) seeded through splitmix32.
 * Independent streams come from `fork(name)`, so adding a draw in one place does not shift the others.
 */
export interface Rng {
  /** Uniform in [0, 1), 32 random bits. */
  next(): number;
  /** Integer uniform in [0, below). */
  int(below: number): number;
  /** Standard normal (Box-Muller). */
  normal(): number;
  /** A stream that depends on this one's seed and `name` only, not on how much was drawn. */
  fork(name: string): Rng;
  /** A new array with the elements of `items` in random order (Fisher-Yates). */
  shuffled<T>(items: readonly T[]): T[];
}

export function createRng(seed: number | string): Rng {
  const root = hash32(String(seed));
  let state = root;
  const split = () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  let a = split();
  let b = split();
  let c = split();
  let d = split();
  const bits = () => {
    const result = Math.imul(rotl(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotl(d, 11);
    return result;
  };
  let spare: number | null = null;
  const rng: Rng = {
    next: () => bits() / 2 ** 32,
    int: (below) => Math.floor((bits() / 2 ** 32) * below),
    normal() {
      if (spare !== null) {
        const value = spare;
        spare = null;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - rng.next()));
      const angle = 2 * Math.PI * rng.next();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    fork: (name) => createRng(`${root}/${name}`),
    shuffled(items) {
      const out = [...items];
      for (let i = out.length - 1; i > 0; i--) {
        const j = rng.int(i + 1);
        const kept = out[i] as (typeof out)[number];
        out[i] = out[j] as (typeof out)[number];
        out[j] = kept;
      }
      return out;
    },
  };
  return rng;
}

/** FNV-1a over UTF-16 code units, 32 bits. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

function rotl(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}
