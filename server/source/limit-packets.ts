/**
 * Guards an MQTT broker against packets that claim to be huge: looks at each packet's fixed header as it passes and ends the
 * connection before such a packet is buffered. Source: MQTT 3.1.1 §2.2 (fixed header, remaining length of 1 to 4 bytes).
 */
import type { Socket } from 'node:net';
import { Duplex, Transform } from 'node:stream';

/** The socket as a stream on which no packet is longer than `maxBytes`, headers not counted. */
export function limitPackets(socket: Socket, maxBytes: number): Duplex {
  const exceeds = createPacketScanner(maxBytes);
  const guard = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      if (exceeds(chunk)) done(new Error(`a packet of more than ${maxBytes} bytes`));
      else done(null, chunk);
    },
  });
  socket.once('error', (error) => guard.destroy(error));
  guard.once('error', () => socket.destroy());
  return Duplex.from({ readable: socket.pipe(guard), writable: socket });
}

/** Feeds on the bytes of one connection; true as soon as a packet claims more than `maxBytes`. */
export function createPacketScanner(maxBytes: number): (chunk: Uint8Array) => boolean {
  let inHeader = false;
  let lengthBytes = 0;
  let remaining = 0;
  return (chunk) => {
    for (let i = 0; i < chunk.length; ) {
      if (!inHeader && remaining > 0) {
        const skipped = Math.min(remaining, chunk.length - i);
        remaining -= skipped;
        i += skipped;
      } else if (!inHeader) {
        inHeader = true; // the packet's type and flags
        lengthBytes = 0;
        i++;
      } else {
        const byte = chunk[i++] as number;
        remaining += (byte & 0x7f) * 128 ** lengthBytes++;
        if (remaining > maxBytes || lengthBytes > 4) return true;
        inHeader = byte >= 0x80;
      }
    }
    return false;
  };
}
