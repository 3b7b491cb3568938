/**
 * The codes of several vectors as one entropy-coded body (`range-coder.ts`). Codes of model changes crowd around zero: on HAPT
 * 2-bit codes take 0.8 bits. Decisions in order, vector after vector:
 *   dense: each code, most significant bit first; a model for each vector and prefix of the code.
 *   sparse: for each place, whether a value is kept (a model for each vector); if so its sign (one model), then its magnitude,
 *   bits − 1 bits, most significant first (a model for each prefix).
 * A place is told by a decision, not by a number, so no body can name one outside or twice.
 */
import { dequantize, type Quantized } from './affine.ts';
import { pack, unpack } from './pack.ts';
import {
  type BitDecoder,
  type BitEncoder,
  type BitModels,
  createBitDecoder,
  createBitEncoder,
  createBitModels,
} from './range-coder.ts';
import { densify, magnitudeLevels, type Sparse } from './sparse.ts';

/** Vectors as they travel. Their lengths are known to both sides from elsewhere. */
export interface Coded {
  /** 1–8. */
  readonly bits: number;
  readonly sparse: boolean;
  /** float32 lo and step in turn: of each vector, or, sparse, of all values kept. */
  readonly scales: Float32Array;
  readonly body: Uint8Array;
}

/** Codes of 1–8 bits, the same for all `vectors`. */
export function encodeDense(vectors: readonly Quantized[]): Coded {
  const bits = vectors[0]?.bits ?? 1;
  const encoder = createBitEncoder();
  for (const vector of vectors) {
    const models = createBitModels(2 ** bits);
    for (const code of unpack(vector.packed, bits, vector.length)) writeCode(encoder, models, code, bits);
  }
  const scales = Float32Array.from(vectors.flatMap(({ lo, step }) => [lo, step]));
  return { bits, sparse: false, scales, body: encoder.finish() };
}

/** One sparse vector that is cut into vectors of `sizes`, each with its own models of what is kept. */
export function encodeSparse(vector: Sparse, sizes: readonly number[]): Coded {
  const { bits, positions, negative, codes } = vector;
  const encoder = createBitEncoder();
  const signs = createBitModels(1);
  const magnitudes = createBitModels(2 ** (bits - 1));
  let next = 0;
  let at = 0;
  for (const size of sizes) {
    const kept = createBitModels(1);
    for (let end = at + size; at < end; at++) {
      const isKept = positions[next] === at;
      encoder.write(kept, 0, isKept ? 1 : 0);
      if (!isKept) continue;
      encoder.write(signs, 0, negative[next] as number);
      writeCode(encoder, magnitudes, codes[next] as number, bits - 1);
      next++;
    }
  }
  return { bits, sparse: true, scales: Float32Array.of(vector.lo, vector.step), body: encoder.finish() };
}

/** Numbers in `scales` of vectors of `sizes`. */
export function scaleCount(sparse: boolean, sizes: readonly number[]): number {
  return sparse ? 2 : 2 * sizes.length;
}

/**
 * The values of all vectors of `sizes` back to back, a new array; null when the body does not end where the last vector does.
 * Trusts that there are `scaleCount` scales and 1–8 bits; takes any body.
 */
export function decodeCoded(coded: Coded, sizes: readonly number[]): Float32Array | null {
  if (!coded.sparse) {
    const vectors = decodeDense(coded, sizes);
    return vectors === null ? null : joined(vectors);
  }
  const decoder = createBitDecoder(coded.body);
  const values = decodeSparse(decoder, coded, sizes);
  return decoder.isAtEnd() ? values : null;
}

/** The vectors that `encodeDense` was given, as `decodeCoded` trusts and refuses. */
export function decodeDense({ bits, scales, body }: Coded, sizes: readonly number[]): readonly Quantized[] | null {
  const decoder = createBitDecoder(body);
  const vectors = sizes.map((length, v): Quantized => {
    const [lo, step] = [scales[2 * v] as number, scales[2 * v + 1] as number];
    return { bits, length, lo, step, packed: pack(readCodes(decoder, length, bits), bits) };
  });
  return decoder.isAtEnd() ? vectors : null;
}

/** The values of all vectors back to back, a new array. */
export function joined(vectors: readonly Quantized[]): Float32Array {
  const values = new Float32Array(total(vectors.map(({ length }) => length)));
  let at = 0;
  for (const vector of vectors) {
    values.set(dequantize(vector), at);
    at += vector.length;
  }
  return values;
}

/** The least and the greatest value that `coded` can stand for, whatever its body says; NaN if a scale is. */
export function boundsOfCoded({ bits, sparse, scales }: Coded): { readonly lo: number; readonly hi: number } {
  let lo = 0;
  let hi = 0;
  for (let i = 0; i < scales.length; i += 2) {
    const least = scales[i] as number;
    const levels = sparse ? magnitudeLevels(bits) : 2 ** bits - 1;
    const most = Math.fround(least + levels * (scales[i + 1] as number));
    lo = Math.min(lo, sparse ? -most : least);
    hi = Math.max(hi, most);
  }
  return { lo, hi };
}

function readCodes(decoder: BitDecoder, length: number, bits: number): Uint8Array {
  const models = createBitModels(2 ** bits);
  const codes = new Uint8Array(length);
  for (let i = 0; i < length; i++) codes[i] = readCode(decoder, models, bits);
  return codes;
}

function decodeSparse(decoder: BitDecoder, { bits, scales }: Coded, sizes: readonly number[]): Float32Array {
  const signs = createBitModels(1);
  const magnitudes = createBitModels(2 ** (bits - 1));
  const positions: number[] = [];
  const negative: number[] = [];
  const codes: number[] = [];
  let at = 0;
  for (const size of sizes) {
    const kept = createBitModels(1);
    for (let end = at + size; at < end; at++) {
      if (decoder.read(kept, 0) === 0) continue;
      positions.push(at);
      negative.push(decoder.read(signs, 0));
      codes.push(readCode(decoder, magnitudes, bits - 1));
    }
  }
  const [lo, step] = [scales[0] as number, scales[1] as number];
  return densify({
    ...{ bits, length: at, lo, step },
    positions: Uint32Array.from(positions),
    negative: Uint8Array.from(negative),
    codes: Uint8Array.from(codes),
  });
}

/** `models` has 2^bits of them: number 1 for the first bit, 2 and 3 for the second after 0 and 1, and so on. */
function writeCode(encoder: BitEncoder, models: BitModels, code: number, bits: number): void {
  let prefix = 1;
  for (let place = bits - 1; place >= 0; place--) {
    const bit = (code >> place) & 1;
    encoder.write(models, prefix, bit);
    prefix = 2 * prefix + bit;
  }
}

function readCode(decoder: BitDecoder, models: BitModels, bits: number): number {
  let prefix = 1;
  for (let place = 0; place < bits; place++) prefix = 2 * prefix + decoder.read(models, prefix);
  return prefix - 2 ** bits;
}

function total(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + size, 0);
}
