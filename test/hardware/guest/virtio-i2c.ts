/**
 * An I2C adapter of the guest in front of simulated wires: the kernel's driver i2c-virtio sends the messages of a transfer one by
 * one, and each is answered with its bytes and a status.
 * Stuck wires show as they do with the kernel's drivers for real adapters: the message fails after a time-out, and the adapter
 * tries to clock the chip free.
 * Source: VIRTIO 1.2, section 5.15.6 (I2C adapter device, device operation).
 */
import type { SimulatedWires } from '../../../agent/hw/sim/wires.ts';
import type { VirtioDevice, VirtioRequest } from './virtio-device.ts';

const ZERO_LENGTH_REQUESTS = 1 << 0; // the kernel's driver insists on this feature
const FAIL_NEXT = 1 << 0; // a later message of the same transfer follows
const READ = 1 << 1;
const HEADER_BYTES = 8;
const OK = 0;
const ERROR = 1;
/** What i2c-bcm2835 of a Raspberry Pi waits (the kernel's default, `adapter->timeout = HZ`). */
const TIMEOUT_MS = 1000;

/** Calls `run` when `ms` have passed. */
export type After = (ms: number, run: () => void) => void;

const afterRealTime: After = (ms, run) => void setTimeout(run, ms);

/**
 * @param wiresNow the wires that it is on; they may be exchanged while the guest runs
 * @param after what its time-out goes by
 */
export function createGuestAdapter(wiresNow: () => SimulatedWires, after: After = afterRealTime): VirtioDevice {
  let hasTransferFailed = false;

  const carry = ({ written, wanted }: VirtioRequest): Uint8Array | 'nack' | 'hung' => {
    const address = written.readUInt16LE(0) >> 1;
    const isRead = (written.readUInt32LE(4) & READ) !== 0;
    if (isRead) return wiresNow().read(address, wanted - 1);
    return wiresNow().write(address, Uint8Array.from(written.subarray(HEADER_BYTES))) ?? new Uint8Array(0);
  };
  const handle = (request: VirtioRequest): void => {
    const result = hasTransferFailed ? 'nack' : carry(request); // the rest of a failed transfer never reaches the wires
    const isFailed = typeof result === 'string';
    hasTransferFailed = isFailed && (request.written.readUInt32LE(4) & FAIL_NEXT) !== 0;
    const answer = new Uint8Array(request.wanted).fill(0xff); // the status is the last byte whatever was read
    if (!isFailed) answer.set(result);
    answer[request.wanted - 1] = isFailed ? ERROR : OK;
    if (result !== 'hung') {
      request.answer(answer);
      return;
    }
    after(TIMEOUT_MS, () => {
      wiresNow().clear();
      request.answer(answer);
    });
  };
  return { name: 'i2c', features: ZERO_LENGTH_REQUESTS, queues: 1, config: new Uint8Array(0), handle };
}
