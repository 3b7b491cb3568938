/**
 * A virtio device of the guest, served by this process: `vhost-user-relay.py` brings each request of the guest's driver here and
 * takes the answer back. One relay process a device; it ends when this process or QEMU does.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// The compiled file lies in dist/, the relay beside the source.
const RELAY = fileURLToPath(new URL('../../../../test/hardware/guest/vhost-user-relay.py', import.meta.url));

export interface VirtioRequest {
  readonly queue: number;
  /** What the driver wrote. */
  readonly written: Buffer;
  /** How many bytes it wants at most. */
  readonly wanted: number;
  /** Once, now or later. */
  readonly answer: (bytes: Uint8Array) => void;
}

export interface VirtioDevice {
  /** As in QEMU's `vhost-user-<name>-pci`. */
  readonly name: string;
  /** The device's own feature bits. */
  readonly features: number;
  readonly queues: number;
  /** Its configuration space; empty: it has none. */
  readonly config: Uint8Array;
  /** Must not throw. */
  handle(request: VirtioRequest): void;
}

export interface ServedDevice {
  /** Where QEMU connects. */
  readonly socket: string;
  close(): Promise<void>;
}

function receive(device: VirtioDevice, socket: Socket): void {
  let received: Buffer = Buffer.alloc(0);
  const onFrame = (frame: Buffer) => {
    const queue = frame.readUInt16LE(0);
    const token = frame.readUInt16LE(2);
    const answer = (bytes: Uint8Array) => {
      if (socket.destroyed) return; // the guest was switched off meanwhile
      const head = Buffer.alloc(8);
      head.writeUInt32LE(4 + bytes.length, 0);
      head.writeUInt16LE(queue, 4);
      head.writeUInt16LE(token, 6);
      socket.write(Buffer.concat([head, bytes]));
    };
    device.handle({ queue, written: frame.subarray(8), wanted: frame.readUInt32LE(4), answer });
  };
  socket.on('data', (data) => {
    received = Buffer.concat([received, data]);
    socket.cork(); // the messages of a transfer come together; so do their answers
    while (received.length >= 4 && received.length >= 4 + received.readUInt32LE(0)) {
      const end = 4 + received.readUInt32LE(0);
      const frame = received.subarray(4, end);
      received = received.subarray(end);
      onFrame(frame);
    }
    socket.uncork();
  });
  socket.on('error', () => socket.destroy());
}

/** Ready for QEMU when it resolves. @param folder for the two sockets; its path has at most 80 characters @param index of the guest's devices */
export async function serveDevice(device: VirtioDevice, folder: string, index: number): Promise<ServedDevice> {
  const here = join(folder, `${device.name}${index}-host`);
  const socket = join(folder, `${device.name}${index}-guest`);
  const server = createServer((connection) => receive(device, connection));
  server.listen(here);
  await once(server, 'listening');
  const settings = [String(device.features), String(device.queues), Buffer.from(device.config).toString('hex')];
  const relay: ChildProcess = spawn('python3', [RELAY, socket, here, ...settings], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ended = once(relay, 'exit');
  const connected = once(server, 'connection') as Promise<[Socket]>; // the relay listens for QEMU before it connects here
  const first = await Promise.race([connected, ended]);
  if (relay.exitCode !== null) throw new Error(`the relay of ${device.name} ended with status ${relay.exitCode}`);
  return {
    socket,
    close: async () => {
      (first[0] as Socket).destroy();
      server.close();
      await ended;
    },
  };
}
