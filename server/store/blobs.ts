/** Float arrays as bytes in the database: IEEE 754 little-endian, the byte order of every machine that runs this. */

export function floatsToBytes(values: Float32Array | Float64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** A copy, so that alignment and ownership never matter. */
export function bytesToFloat32(bytes: Uint8Array): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

export function bytesToFloat64(bytes: Uint8Array): Float64Array {
  return new Float64Array(Uint8Array.from(bytes).buffer);
}
