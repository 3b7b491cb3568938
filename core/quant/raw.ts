/**
 * Arrays of reals as bytes: IEEE 754 little-endian, no header, on every host (DataView, since a typed array's view of a
 * buffer follows the host's byte order and needs alignment that a received payload does not have).
 * All functions copy; nothing returned shares memory with its argument.
 */

/** `4 · values.length` bytes. */
export function packFloat32(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) view.setFloat32(4 * i, values[i] as number, true);
  return bytes;
}

/** `floor(bytes.length / 4)` values. */
export function unpackFloat32(bytes: Uint8Array): Float32Array {
  const values = new Float32Array(bytes.length >>> 2);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < values.length; i++) values[i] = view.getFloat32(4 * i, true);
  return values;
}

/** `8 · values.length` bytes. */
export function packFloat64(values: Float64Array): Uint8Array {
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) view.setFloat64(8 * i, values[i] as number, true);
  return bytes;
}

/** `floor(bytes.length / 8)` values. */
export function unpackFloat64(bytes: Uint8Array): Float64Array {
  const values = new Float64Array(bytes.length >>> 3);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < values.length; i++) values[i] = view.getFloat64(8 * i, true);
  return values;
}
