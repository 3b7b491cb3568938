/**
 * The two wires of a simulated I2C bus and the chips on them: who acknowledges, who is unplugged, whether the wires are stuck.
 * Synchronous and without timing of its own, so that it serves both the bus in this process (`i2c-sim.ts`) and the hardware tests,
 * where a real kernel's bus carries the messages. A message is one address byte and what follows it up to the next (repeated) START.
 * Source of the bus's rules: NXP UM10204 "I2C-bus specification and user manual", §3.1.6 (acknowledge), §3.1.16 (bus clear).
 */
import { AppError } from '../../../core/base/errors.ts';
import type { SimulatedChip } from './simulated-chip.ts';

/** Why a message got nowhere. */
export type WireFailure = 'nack' | 'hung';

export interface InterruptPin {
  readonly level: 0 | 1;
  /** When the level can change next without a message, microseconds of the simulation; null: not before one. */
  readonly nextUs: number | null;
}

export interface SimulatedWires {
  /** The simulation's clock, microseconds. */
  readonly nowUs: () => number;
  /** Share of the messages that nobody acknowledges, 0–1: a bad contact. May be changed while it runs. */
  nackShare: number;
  /** A write message's bytes after the address. Null: done. */
  write(address: number, bytes: Uint8Array): WireFailure | null;
  /** A read message: `length` bytes from where the chip's address counter is. */
  read(address: number, length: number): Uint8Array | WireFailure;
  /** The chip at `address` loses power and contact, and its companions with it. */
  unplug(address: number): void;
  /** The chip is back, as after power-on. */
  plugIn(address: number): void;
  /** A chip holds the data line low: every message fails until the bus has been cleared so many times. Infinity: for good. */
  hang(clearings: number): void;
  /** What a master does about a stuck data line: nine clocks. */
  clear(): void;
  /** The interrupt pin of the chip at `address`; an unplugged chip's line is low. */
  interrupt(address: number): InterruptPin;
  /** Calls `listener` after everything that may have changed a pin: messages, plugging. Returns what ends it. */
  onActivity(listener: () => void): () => void;
  /** Messages so far, failed ones too. */
  messages(): number;
}

export interface WiresOptions {
  /** Companions need not be listed. */
  readonly chips: readonly SimulatedChip[];
  readonly nowUs: () => number;
  /** Uniform in [0, 1): which messages are lost to `nackShare`. */
  readonly random: () => number;
}

export function createWires({ chips: parts, nowUs, random }: WiresOptions): SimulatedWires {
  const chips = parts.flatMap(withCompanions);
  const byAddress = new Map(chips.map((chip) => [chip.address, chip]));
  if (byAddress.size < chips.length) throw new AppError('internal', 'two simulated chips at one address');
  const absent = new Set<number>();
  const listeners = new Set<() => void>();
  let clearingsLeft = 0;
  let messages = 0;

  const chipAt = (address: number): SimulatedChip => {
    const chip = byAddress.get(address);
    if (chip === undefined) throw new AppError('internal', `no simulated chip at 0x${address.toString(16)}`);
    return chip;
  };
  const notify = () => {
    for (const listener of listeners) listener();
  };
  const message = <T>(address: number, deliver: (chip: SimulatedChip) => T): T | WireFailure => {
    messages++;
    if (clearingsLeft > 0) return 'hung';
    const chip = byAddress.get(address);
    if (chip === undefined || absent.has(address)) return 'nack';
    if (wires.nackShare > 0 && random() < wires.nackShare) return 'nack';
    if (chip.answers?.(nowUs()) === false) return 'nack';
    const result = deliver(chip);
    notify();
    return result;
  };
  const wires: SimulatedWires = {
    nowUs,
    nackShare: 0,
    write: (address, bytes) =>
      message(address, (chip) => {
        chip.write(bytes, nowUs());
        return null;
      }),
    read: (address, length) => message(address, (chip) => chip.read(length, nowUs())),
    unplug(address) {
      for (const chip of withCompanions(chipAt(address))) absent.add(chip.address);
      notify();
    },
    plugIn(address) {
      const chip = chipAt(address);
      chip.powerCycle(nowUs());
      for (const { address: back } of withCompanions(chip)) absent.delete(back);
      notify();
    },
    hang(clearings) {
      clearingsLeft = clearings;
    },
    clear() {
      clearingsLeft = Math.max(0, clearingsLeft - 1);
    },
    interrupt: (address) => (absent.has(address) ? { level: 0, nextUs: null } : chipAt(address).interrupt(nowUs())),
    onActivity(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    messages: () => messages,
  };
  return wires;
}

function withCompanions(chip: SimulatedChip): SimulatedChip[] {
  return [chip, ...(chip.companions ?? [])];
}
