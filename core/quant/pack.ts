/**
 * Codes of b bits back to back: code i occupies bits i·b … i·b + b − 1, counted from the least significant bit of the first
 * byte; bits behind the last code are 0. Invariant: `unpack(pack(codes, b), b, codes.length)` equals `codes` for b = 1 … 8.
 */

/** Bytes that `length` codes of `bits` bits take. */
export function packedBytes(length: number, bits: number): number {
  return Math.ceil((length * bits) / 8);
}

/** Packs `codes`, each in [0, 2^bits − 1], bits 1–8. */
export function pack(codes: Uint8Array, bits: number): Uint8Array {
  const packed = new Uint8Array(packedBytes(codes.length, bits));
  let pending = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < codes.length; i++) {
    pending |= (codes[i] as number) << held;
    held += bits;
    if (held >= 8) {
      packed[at++] = pending;
      pending >>>= 8;
      held -= 8;
    }
  }
  if (held > 0) packed[at] = pending;
  return packed;
}

/** The first `length` codes of `packed`, which holds at least `packedBytes(length, bits)` bytes. */
export function unpack(packed: Uint8Array, bits: number, length: number): Uint8Array {
  const codes = new Uint8Array(length);
  const mask = (1 << bits) - 1;
  let pending = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < length; i++) {
    if (held < bits) {
      pending |= (packed[at++] as number) << held;
      held += 8;
    }
    codes[i] = pending & mask;
    pending >>>= bits;
    held -= bits;
  }
  return codes;
}

/** Whether the bits behind the last code are 0, as `pack` leaves them. */
export function isCleanlyPacked(packed: Uint8Array, bits: number, length: number): boolean {
  const used = (length * bits) % 8;
  return used === 0 || (packed[packed.length - 1] as number) >>> used === 0;
}
