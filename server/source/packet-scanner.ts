/**
 * Follows the MQTT packets in a connection's bytes without keeping any: how large each claims to be, and how many there are.
 * Invariant: a packet that is too large is found in its fixed header, before the broker buffers for it.
 * Source: MQTT 3.1.1 §2.2 (fixed header: type, then the remaining length in 1 to 4 bytes).
 */
export interface PacketBounds {
  /** Largest packet, bytes, header not counted. */
  readonly maxBytes: number;
  /** The same for the first one, CONNECT: nobody has proved anything yet. */
  readonly maxFirstBytes: number;
}

export interface Scanned {
  /** Bytes of the chunk before the packet that has no allowance left; all of them when there is none. */
  readonly end: number;
  /** Packets that begin in these bytes and count against the allowance: all but acknowledgements. */
  readonly begun: number;
  readonly isTooLarge: boolean;
}

/** Takes the bytes of one connection in order: what is behind `end` must come again. */
export type PacketScanner = (chunk: Uint8Array, allowance: number) => Scanned;

const FIRST_ACK = 4; // PUBACK, PUBREC, PUBREL, PUBCOMP
const LAST_ACK = 7;

export function createPacketScanner({ maxBytes, maxFirstBytes }: PacketBounds): PacketScanner {
  let limit = maxFirstBytes;
  let inHeader = false;
  let lengthBytes = 0;
  let remaining = 0;
  return (chunk, allowance) => {
    let begun = 0;
    for (let i = 0; i < chunk.length; ) {
      const byte = chunk[i] as number;
      if (!inHeader && remaining > 0) {
        const skipped = Math.min(remaining, chunk.length - i);
        remaining -= skipped;
        i += skipped;
        if (remaining === 0) limit = maxBytes;
      } else if (!inHeader) {
        const type = byte >> 4;
        const isAck = type >= FIRST_ACK && type <= LAST_ACK;
        if (!isAck && begun >= allowance) return { end: i, begun, isTooLarge: false };
        if (!isAck) begun++;
        inHeader = true;
        lengthBytes = 0;
        i++;
      } else {
        remaining += (byte & 0x7f) * 128 ** lengthBytes++;
        if (remaining > limit || lengthBytes > 4) return { end: i, begun, isTooLarge: true };
        inHeader = byte >= 0x80;
        i++;
      }
    }
    return { end: chunk.length, begun, isTooLarge: false };
  };
}
