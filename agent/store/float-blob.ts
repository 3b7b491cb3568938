/** Arrays of reals as SQLite keeps them: IEEE 754 little-endian, as every board that this runs on has them in memory. */

/** The bytes of a typed array, not copied. */
export function bytesOf(array: Float32Array | Float64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** float32 little-endian bytes as an array of its own (a Buffer may be unaligned in a shared pool). */
export function floatsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer); // a Buffer's own slice() would not copy
}
