/**
 * The BMI160's FIFO: 1024 bytes of frames, with a header before each or without.
 * Source: BMI160 datasheet BST-BMI160-DS000-07 (DS), §2.5. An overflow costs whole oldest frames; with headers the next read
 * begins with a frame that counts them. A frame that a read leaves unfinished is read again from its beginning.
 */
import { FrameFifo } from './fifo.ts';

const CAPACITY = 1024;
/** DS §2.5.1.3: fh_mode 10 is a regular frame, 01 a control frame. */
const REGULAR = 0x80;
const SKIP = 0x40;
const SENSORTIME = 0x44;
const INPUT_CONFIG = 0x48;
/** What a read beyond the last frame gives. */
const OVERREAD = 0x80;

export class Bmi160Fifo {
  readonly #frames = new FrameFifo(CAPACITY);
  #skipped = 0;
  #frame = 0;
  #byte = 0;
  /** Bytes after the last frame that this read still gets; null: it has not come so far. */
  #tail: number[] | null = null;
  /** The oldest frame is the skip frame of the read that goes on. */
  #hasSkipFrame = false;

  /** DS §2.11.9: the level counts whole frames, and with headers the skip frame that is to come. */
  length(header: boolean): number {
    return this.#frames.bytes + (header && this.#skipped > 0 ? 2 : 0);
  }

  /** Stores one instant's data; the gyroscope's come first. @param header whether frames have one */
  store(gyr: Uint8Array | null, acc: Uint8Array | null, header: boolean): void {
    const content = [...(gyr ?? []), ...(acc ?? [])];
    if (content.length === 0) return;
    const parameter = ((gyr === null ? 0 : 2) | (acc === null ? 0 : 1)) << 2;
    this.#push(Uint8Array.from(header ? [REGULAR | parameter, ...content] : content));
  }

  /**
   * A control frame that says from where on other settings hold (DS §2.5.1.4).
   * @param what which: bit 0 accelerometer, bit 1 gyroscope
   */
  markChange(what: number): void {
    this.#push(Uint8Array.of(INPUT_CONFIG, what));
  }

  /** @param sensorTime 24 bits, when a sensortime frame is wanted after the last frame */
  read(header: boolean, sensorTime: number | null): number {
    if (header && this.#skipped > 0 && this.#frame === 0 && this.#byte === 0) {
      this.#frames.unshift(Uint8Array.of(SKIP, Math.min(255, this.#skipped)));
      this.#skipped = 0;
      this.#hasSkipFrame = true;
    }
    const frame = this.#frames.at(this.#frame);
    if (frame === undefined) return this.#overread(header ? sensorTime : null);
    const value = frame[this.#byte] ?? 0;
    this.#byte++;
    if (this.#byte === frame.length) {
      this.#frame++;
      this.#byte = 0;
    }
    return value;
  }

  /** The read is over: whole frames that were read are gone. A skip frame that was not goes on counting. */
  endRead(): void {
    for (let i = 0; i < this.#frame; i++) this.#frames.shift();
    if (this.#frames.at(0)?.[0] === SKIP && this.#hasSkipFrame) {
      this.#skipped = this.#frames.shift()?.[1] ?? 0;
    }
    this.#hasSkipFrame = false;
    this.#frame = 0;
    this.#byte = 0;
    this.#tail = null;
  }

  clear(): void {
    this.#frames.clear();
    this.#skipped = 0;
    this.endRead();
  }

  /** Whether another frame of the largest kind would not fit (DS, FIFO full interrupt). */
  isFull(): boolean {
    return !this.#frames.fits(13);
  }

  #push(frame: Uint8Array): void {
    this.#skipped += this.#frames.push(frame);
  }

  #overread(sensorTime: number | null): number {
    this.#tail ??=
      sensorTime === null ? [] : [SENSORTIME, sensorTime & 0xff, (sensorTime >> 8) & 0xff, (sensorTime >> 16) & 0xff];
    return this.#tail.shift() ?? OVERREAD;
  }
}
