#!/usr/bin/env python3
"""vhost-user-relay.py VHOST_SOCKET HOST_SOCKET FEATURES QUEUES CONFIG

Serves one virtio device to QEMU and knows nothing about it: each request that the guest queues goes as a frame to HOST_SOCKET,
each frame from there is the answer to one request. What the device is, is said by the other end (virtio-i2c.ts, virtio-gpio.ts).
It is Python because memory and interrupts of a guest come as file descriptors over a socket, which Node.js cannot receive.

Frames, little-endian, each after its length in 4 bytes:
  to the host    queue u16, token u16, writable u32, then the bytes that the guest wrote
  from the host  queue u16, token u16, then the bytes for the guest, at most `writable`
FEATURES: the device's own feature bits. CONFIG: its configuration space, hexadecimal.

It listens at VHOST_SOCKET before it connects to HOST_SOCKET, and ends when either side goes: nothing stays behind.
Sources: Virtual I/O Device (VIRTIO) 1.2, section 2.7 (split virtqueues); QEMU, docs/interop/vhost-user.rst.
"""
import mmap
import os
import select
import socket
import struct
import sys
import threading

F_EVENT_IDX, F_PROTOCOL_FEATURES, F_VERSION_1 = 1 << 29, 1 << 30, 1 << 32
PROTOCOL_MQ, PROTOCOL_REPLY_ACK, PROTOCOL_CONFIG = 1 << 0, 1 << 3, 1 << 9
DESC_NEXT, DESC_WRITE, DESC_INDIRECT = 1, 2, 4
FLAG_VERSION, FLAG_REPLY, FLAG_NEED_REPLY = 0x1, 0x4, 0x8
NO_FD = 0x100

(GET_FEATURES, SET_FEATURES, SET_MEM_TABLE, SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE, SET_VRING_KICK,
 SET_VRING_CALL, GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE, GET_CONFIG) = (
    1, 2, 5, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 24)

INDEX, RING = 1, 2  # places in a ring's view as 16-bit words; word 0 holds flags

barrier = threading.Lock()  # taking a lock is a full memory barrier, the only one that Python has


def words(memory, at, count):
    """Memory that the guest looks at meanwhile, as 16-bit words that are read and written whole. `struct.pack_into` fills its
    place with zeros before it writes: a guest that reads the index at that instant takes back buffers that it does not own."""
    return memoryview(memory)[at:at + 2 * count].cast('H')


class Queue:
    """A split virtqueue in the guest's memory."""

    def __init__(self, device):
        self.device = device
        self.size = self.next = 0
        self.desc = None  # (map, offset)
        self.avail = self.used = None  # words
        self.kick = self.call = None
        self.enabled = False
        self.waiting = {}  # token → writable pieces [(map, offset, length)]

    def ready(self):
        return self.enabled and self.desc is not None and self.kick is not None

    def is_empty(self):
        if self.avail[INDEX] != self.next:
            return False
        if not self.device.accepted & F_EVENT_IDX:
            return True
        self.used[RING + 4 * self.size] = self.next  # ask to be told of the next buffer, then look once more (VIRTIO 2.7.10)
        with barrier:
            return self.avail[INDEX] == self.next

    def take(self):
        """(token, bytes that the guest wrote, number of bytes that it wants)"""
        token = self.avail[RING + self.next % self.size]
        self.next = (self.next + 1) & 0xffff
        written, pieces = b'', []
        (memory, at), index = self.desc, token
        while True:
            address, length, flags, following = struct.unpack_from('<QIHH', memory, at + 16 * index)
            if flags & DESC_INDIRECT:  # a table elsewhere takes the place of the chain. QEMU's guest uses it unasked
                (memory, at), index = self.device.guest_memory(address), 0
                continue
            if length:
                where, offset = self.device.guest_memory(address)
                if flags & DESC_WRITE:
                    pieces.append((where, offset, length))
                else:
                    written += where[offset:offset + length]
            if not flags & DESC_NEXT:
                break
            index = following
        self.waiting[token] = pieces
        return token, written, sum(length for _, _, length in pieces)

    def give(self, token, data):
        """Answers a request. The guest looks at it when it is interrupted, or when it happens to look."""
        done = 0
        for memory, at, length in self.waiting.pop(token):
            part = data[done:done + length]
            memory[at:at + len(part)] = part
            done += len(part)
        index = self.used[INDEX]
        element = RING + 4 * (index % self.size)
        self.used[element], self.used[element + 1] = token, 0
        self.used[element + 2], self.used[element + 3] = done & 0xffff, done >> 16
        with barrier:
            self.used[INDEX] = (index + 1) & 0xffff

    def interrupt(self):
        if self.call is not None:
            os.eventfd_write(self.call, 1)


class Device:
    def __init__(self, guest, host, features, queues, config):
        self.guest, self.host = guest, host
        self.features, self.config = features, config
        self.queues = [Queue(self) for _ in range(queues)]
        self.regions = []  # (guest address, QEMU's address, size, map, offset)
        self.accepted = 0
        self.received = b''

    def run(self):
        while True:
            kicks = {queue.kick: queue for queue in self.queues if queue.ready()}
            for source in select.select([self.guest, self.host, *kicks], [], [])[0]:
                if source is self.guest:
                    self.message()
                    break  # file descriptors may have changed
                if source is self.host:
                    self.answers()
                else:
                    try:
                        os.eventfd_read(source)
                    except BlockingIOError:
                        pass
                    self.forward(kicks[source])

    def forward(self, queue):
        frames = b''
        while not queue.is_empty():
            token, written, wanted = queue.take()
            body = struct.pack('<HHI', self.queues.index(queue), token, wanted) + written
            frames += struct.pack('<I', len(body)) + body
        if frames:
            self.host.sendall(frames)

    def answers(self):
        data = self.host.recv(65536)
        if not data:
            raise EOFError
        self.received += data
        answered = set()
        while len(self.received) >= 4:
            end = 4 + struct.unpack_from('<I', self.received)[0]
            if len(self.received) < end:
                break
            index, token = struct.unpack_from('<HH', self.received, 4)
            queue = self.queues[index]
            if queue.ready() and token in queue.waiting:  # else the driver has been unloaded since
                queue.give(token, self.received[8:end])
                answered.add(queue)
            self.received = self.received[end:]
        for queue in answered:
            queue.interrupt()

    def guest_memory(self, address):
        for start, _, size, memory, offset in self.regions:
            if start <= address < start + size:
                return memory, address - start + offset
        raise ValueError('no memory of the guest at %#x' % address)

    def qemu_memory(self, address):
        for _, start, size, memory, offset in self.regions:
            if start <= address < start + size:
                return memory, address - start + offset
        raise ValueError('no memory of QEMU at %#x' % address)

    def message(self):
        """One request of QEMU's about the device."""
        head, files = self.receive(12)
        kind, flags, size = struct.unpack('<III', head)
        body, more = self.receive(size)
        reply = self.handle(kind, body, files + more)
        if reply is None and flags & FLAG_NEED_REPLY:
            reply = struct.pack('<Q', 0)
        if reply is not None:
            self.guest.sendall(struct.pack('<III', kind, FLAG_VERSION | FLAG_REPLY, len(reply)) + reply)
        for queue in self.queues:
            if queue.ready():
                self.forward(queue)

    def receive(self, size):
        data, files = b'', []
        while len(data) < size:
            part, some, _, _ = socket.recv_fds(self.guest, size - len(data), 16)
            if not part:
                raise EOFError
            data, files = data + part, files + some
        return data, files

    def handle(self, kind, body, files):
        number = struct.unpack_from('<Q', body)[0] if len(body) >= 8 else 0
        if kind == GET_FEATURES:
            return struct.pack('<Q', self.features | F_VERSION_1 | F_PROTOCOL_FEATURES)
        if kind == SET_FEATURES:
            self.accepted = number
        elif kind == GET_PROTOCOL_FEATURES:
            config = PROTOCOL_CONFIG if self.config else 0
            return struct.pack('<Q', PROTOCOL_MQ | PROTOCOL_REPLY_ACK | config)
        elif kind == GET_QUEUE_NUM:
            return struct.pack('<Q', len(self.queues))
        elif kind == GET_CONFIG:
            offset, size, flags = struct.unpack_from('<III', body)
            return struct.pack('<III', offset, size, flags) + self.config[offset:offset + size].ljust(size, b'\0')
        elif kind == SET_MEM_TABLE:
            self.map_memory(body, files)
        elif kind in (SET_VRING_KICK, SET_VRING_CALL):
            self.set_event(kind, self.queues[number & 0xff], None if number & NO_FD else files[0])
        elif kind in (SET_VRING_NUM, SET_VRING_BASE, SET_VRING_ENABLE, GET_VRING_BASE, SET_VRING_ADDR):
            return self.set_queue(kind, body)
        return None  # the rest asks for nothing that a relay has

    def set_queue(self, kind, body):
        index, value = struct.unpack_from('<II', body)
        queue = self.queues[index]
        if kind == SET_VRING_NUM:
            queue.size = value
        elif kind == SET_VRING_BASE:
            queue.next = value
        elif kind == SET_VRING_ENABLE:
            queue.enabled = bool(value)
        elif kind == SET_VRING_ADDR:
            desc, used, avail, _ = struct.unpack_from('<QQQQ', body, 8)
            queue.desc = self.qemu_memory(desc)
            queue.used = words(*self.qemu_memory(used), 3 + 4 * queue.size)
            queue.avail = words(*self.qemu_memory(avail), 3 + queue.size)
        else:  # GET_VRING_BASE stops the queue
            queue.enabled = False
            queue.waiting.clear()
            self.set_event(SET_VRING_KICK, queue, None)
            return struct.pack('<II', index, queue.next)
        return None

    def set_event(self, kind, queue, file):
        name = 'kick' if kind == SET_VRING_KICK else 'call'
        if getattr(queue, name) is not None:
            os.close(getattr(queue, name))
        if file is not None:
            os.set_blocking(file, False)
        setattr(queue, name, file)

    def map_memory(self, body, files):
        self.regions = []
        for i, file in enumerate(files):
            start, size, user, offset = struct.unpack_from('<QQQQ', body, 8 + 32 * i)
            base = offset - offset % mmap.ALLOCATIONGRANULARITY
            memory = mmap.mmap(file, size + offset - base, offset=base)
            self.regions.append((start, user, size, memory, offset - base))
            os.close(file)


def main():
    vhost_path, host_path, features, queues, config = sys.argv[1:]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(vhost_path)
    listener.listen(1)
    host = socket.socket(socket.AF_UNIX)
    host.connect(host_path)
    if host in select.select([listener, host], [], [])[0]:
        return  # the test ended before QEMU came
    guest, _ = listener.accept()
    try:
        Device(guest, host, int(features, 0), int(queues), bytes.fromhex(config)).run()
    except (EOFError, ConnectionError):
        pass


main()
