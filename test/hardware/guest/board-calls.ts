/** What a program in the guest may ask of the board around it; `inside/host.ts` is the other end. */
import type { Board } from './board.ts';
import type { Level } from './virtio-gpio.ts';

export function boardCalls({ wires, chips, gpio }: Board) {
  return {
    /** The simulation's clock, microseconds. */
    nowUs: () => wires().nowUs(),
    messages: () => wires().messages(),
    unplug: (address: number) => wires().unplug(address),
    plugIn: (address: number) => wires().plugIn(address),
    /** The wires are stuck, for so many time-outs of the adapter or until `hang(0)`. */
    hang: (clearings: number) => wires().hang(clearings),
    nackShare: (share: number) => {
      wires().nackShare = share;
    },
    drive: (line: number, level: Level) => gpio.drive(line, level),
    level: (line: number) => gpio.level(line),
    /** Level of the interrupt pin of the chip at `address`. */
    interruptLevel: (address: number) => wires().interrupt(address).level,
    /** Samples that the chip at `address` has measured since power-up. */
    measured: (address: number) => {
      wires().interrupt(address); // a chip takes the samples that are due when it is looked at
      return (
        chips()
          .find((chip) => chip.address === address)
          ?.measured() ?? 0
      );
    },
  };
}

export type BoardCalls = ReturnType<typeof boardCalls>;
