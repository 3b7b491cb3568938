/**
 * The two kinds of FIFO that the parts have. InvenSense's knows bytes only: an overflow pushes out as many of the oldest bytes
 * as come in, and with them goes the alignment of what is left. The others know frames, and lose whole ones.
 */

export class ByteFifo {
  readonly capacity: number;
  #bytes: number[] = [];
  /** Index of the oldest byte; the array is shortened now and then, not at every read. */
  #from = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get length(): number {
    return this.#bytes.length - this.#from;
  }

  /** Writes byte by byte. @param whenFull which bytes are lost @returns whether any were */
  push(bytes: Uint8Array, whenFull: 'lose-oldest' | 'lose-new'): boolean {
    let lost = false;
    for (const byte of bytes) {
      if (this.length >= this.capacity) {
        lost = true;
        if (whenFull === 'lose-new') continue;
        this.shift();
      }
      this.#bytes.push(byte);
    }
    return lost;
  }

  shift(): number | undefined {
    if (this.length === 0) return undefined;
    const byte = this.#bytes[this.#from];
    this.#from++;
    if (this.#from >= this.capacity) {
      this.#bytes = this.#bytes.slice(this.#from);
      this.#from = 0;
    }
    return byte;
  }

  clear(): void {
    this.#bytes = [];
    this.#from = 0;
  }
}

export class FrameFifo {
  readonly capacity: number;
  #frames: Uint8Array[] = [];
  #bytes = 0;

  /** @param capacity bytes */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** Frames. */
  get length(): number {
    return this.#frames.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  fits(bytes: number): boolean {
    return this.#bytes + bytes <= this.capacity;
  }

  /** Makes room by losing the oldest frames. @returns how many were lost */
  push(frame: Uint8Array): number {
    let lost = 0;
    while (!this.fits(frame.length) && this.#frames.length > 0) {
      this.shift();
      lost++;
    }
    this.#frames.push(frame);
    this.#bytes += frame.length;
    return lost;
  }

  /** Puts a frame before the oldest, whether there is room or not. */
  unshift(frame: Uint8Array): void {
    this.#frames.unshift(frame);
    this.#bytes += frame.length;
  }

  at(index: number): Uint8Array | undefined {
    return this.#frames[index];
  }

  shift(): Uint8Array | undefined {
    const frame = this.#frames.shift();
    this.#bytes -= frame?.length ?? 0;
    return frame;
  }

  clear(): void {
    this.#frames = [];
    this.#bytes = 0;
  }
}
