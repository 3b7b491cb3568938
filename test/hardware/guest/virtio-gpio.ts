/**
 * A GPIO chip whose lines this process holds the other ends of: it drives inputs and sees outputs, and the guest's kernel gets an
 * interrupt for each edge that it watches.
 * Lines have no names: the kernel's driver would give them to sysfs, which then exports a line under its name, where onoff does not
 * find it.
 * Source: VIRTIO 1.2, section 5.18.6 (GPIO device, device operation).
 */
import type { VirtioDevice, VirtioRequest } from './virtio-device.ts';

export type Level = 0 | 1;

const IRQ_FEATURE = 1 << 0;
const EVENT_QUEUE = 1;
const GET_DIRECTION = 2;
const SET_DIRECTION = 3;
const GET_VALUE = 4;
const SET_VALUE = 5;
const SET_IRQ_TYPE = 6;
const OUT = 1;
const RISING = 1; // bits of the interrupt's type; level types are not offered
const FALLING = 2;
const STATUS_OK = 0;
const STATUS_ERROR = 1;
const IRQ_INVALID = 0;
const IRQ_VALID = 1;

interface Line {
  level: Level;
  /** What the guest last wrote, which shows while the line is an output. */
  latch: Level;
  direction: number;
  irqType: number;
  /** The guest's buffer that waits for an edge: there while the interrupt is not masked. */
  waiting: ((bytes: Uint8Array) => void) | null;
  /** An edge came while it was masked. */
  pending: boolean;
}

export interface GuestGpio {
  readonly device: VirtioDevice;
  /** The outside drives a line; edges that the guest watches reach it. */
  drive(line: number, level: Level): void;
  level(line: number): Level;
}

/** @param onOutput called when the guest has changed the level of an output */
export function createGuestGpio(lineCount: number, onOutput?: (line: number, level: Level) => void): GuestGpio {
  const lines: Line[] = Array.from({ length: lineCount }, () => ({
    level: 0,
    latch: 0,
    direction: 0,
    irqType: 0,
    waiting: null,
    pending: false,
  }));
  const config = new Uint8Array(8);
  new DataView(config.buffer).setUint16(0, lineCount, true);

  const fire = (line: Line): void => {
    line.pending = line.waiting === null;
    line.waiting?.(Uint8Array.of(IRQ_VALID));
    line.waiting = null;
  };
  const setLevel = (index: number, level: Level, isGuest: boolean): void => {
    const line = lineAt(index);
    if (line.level === level) return;
    line.level = level;
    if (isGuest) onOutput?.(index, level);
    if ((line.irqType & (level === 1 ? RISING : FALLING)) !== 0) fire(line);
  };
  const lineAt = (index: number): Line => {
    const line = lines[index];
    if (line === undefined) throw new RangeError(`no line ${index}: there are ${lineCount}`);
    return line;
  };

  const awaitEdge = (line: Line | undefined, answer: VirtioRequest['answer']): void => {
    if (line === undefined || line.irqType === 0) {
      answer(Uint8Array.of(IRQ_INVALID));
      return;
    }
    line.waiting = answer;
    if (line.pending) fire(line);
  };
  const setIrqType = (line: Line, type: number): void => {
    line.irqType = type;
    line.pending = false;
    if (type !== 0) return;
    line.waiting?.(Uint8Array.of(IRQ_INVALID));
    line.waiting = null;
  };
  /** The value that the guest asked for; null: it asked for what there is not. */
  const command = (type: number, index: number, value: number): number | null => {
    const line = lines[index];
    if (line === undefined) return null;
    if (type === GET_DIRECTION) return line.direction;
    if (type === GET_VALUE) return line.level;
    if (type === SET_IRQ_TYPE) setIrqType(line, value);
    else if (type === SET_DIRECTION) line.direction = value;
    else if (type === SET_VALUE) line.latch = value === 0 ? 0 : 1;
    else return null;
    if (line.direction === OUT) setLevel(index, line.latch, true);
    return 0;
  };
  const handle = ({ queue, written, answer }: VirtioRequest): void => {
    if (queue === EVENT_QUEUE) {
      awaitEdge(lines[written.readUInt16LE(0)], answer);
      return;
    }
    const value = command(written.readUInt16LE(0), written.readUInt16LE(2), written.readUInt32LE(4));
    answer(value === null ? Uint8Array.of(STATUS_ERROR, 0) : Uint8Array.of(STATUS_OK, value));
  };

  return {
    device: { name: 'gpio', features: IRQ_FEATURE, queues: 2, config, handle },
    drive: (line, level) => setLevel(line, level, false),
    level: (line) => lineAt(line).level,
  };
}
