/**
 * Before anything of an update is read: is there a place for its board (`known-boards.ts`), and is it not too much from that board?
 * What is turned away is counted (`refusal-tally.ts`) and not answered: a receipt for each would be a storm of its own. A board that
 * was only too fast sends again, since it got no receipt.
 */
import type { KnownBoards } from './known-boards.ts';
import type { RefusalTally } from './refusal-tally.ts';

export interface Gate {
  /** Whether an update of this device may be read now. */
  admits(device: string): boolean;
  /** An update of it was counted. */
  proved(device: string): void;
  /** Before a round opens or closes: writes what was turned away. */
  flush(): void;
}

export interface GateOptions {
  readonly boards: KnownBoards;
  readonly tally: RefusalTally;
  /** Called for every board whose update is read. */
  readonly onHeard: (device: string) => void;
}

export function createGate({ boards, tally, onHeard }: GateOptions): Gate {
  return {
    admits(device) {
      const admission = boards.admit(device);
      if (admission === 'welcome') onHeard(device);
      // Names that there is no place for are counted together: to keep each would be the place that they do not get.
      else tally.count(admission === 'rate-limited' ? device : '', admission);
      return admission === 'welcome';
    },
    proved: boards.proved,
    flush: tally.flush,
  };
}
