/**
 * The faults of a chip as events: a closed list, each raised once and cleared once. Who finds a fault says so as often as it likes;
 * only changes come out, with stream time, so that a fault can be laid beside the windows in which it showed.
 */

/** Fault → what it means. */
export const FAULTS = {
  'no-answer': 'the chip does not acknowledge, tried several times at once',
  'unplugged': 'the chip has not answered for a second',
  'bus-hung': 'the bus is stuck: a transaction did not end',
  'wrong-chip': 'another kind of chip answers than the one that was there',
  'overflow': 'samples were lost because the FIFO was not read in time',
  'reset': 'the chip had lost its settings and was set up anew',
  'stuck': 'every channel has been exactly equal for a second; real sensors have noise',
  'saturated': 'a tenth of the samples of a second are at full scale',
  'wrong-rate': 'samples come more than 10 % faster or slower than the chip was set to, or not at all',
} as const satisfies Record<string, string>;

export type Fault = keyof typeof FAULTS;

export interface FaultEvent {
  readonly fault: Fault;
  readonly phase: 'raised' | 'cleared';
  /** Which chip, as in `mpu6050@1:0x68`. */
  readonly chip: string;
  /** Names of the modalities that it touches. */
  readonly modalities: readonly string[];
  /** Stream time at which it was found or found gone, microseconds. */
  readonly tUs: number;
  /** For people. */
  readonly detail: string;
}

export interface FaultWatch {
  /** @param modality the only one that it touches; without it all of the chip */
  raise(fault: Fault, tUs: number, detail: string, modality?: string): void;
  clear(fault: Fault, tUs: number, modality?: string): void;
  isRaised(fault: Fault, modality?: string): boolean;
  /** Events that are raised now. */
  raised(): FaultEvent[];
  /** How often each has been raised. */
  counts(): Readonly<Record<Fault, number>>;
}

export interface FaultWatchParts {
  readonly chip: string;
  readonly modalities: readonly string[];
  readonly onFault: (event: FaultEvent) => void;
}

export function createFaultWatch({ chip, modalities, onFault }: FaultWatchParts): FaultWatch {
  const active = new Map<string, FaultEvent>();
  const counts = Object.fromEntries(Object.keys(FAULTS).map((fault) => [fault, 0])) as Record<Fault, number>;
  const keyOf = (fault: Fault, modality?: string) => `${fault}/${modality ?? ''}`;
  return {
    raise(fault, tUs, detail, modality) {
      const key = keyOf(fault, modality);
      if (active.has(key)) return;
      const touched = modality === undefined ? modalities : [modality];
      const event = { fault, phase: 'raised', chip, modalities: touched, tUs, detail } as const;
      active.set(key, event);
      counts[fault]++;
      onFault(event);
    },
    clear(fault, tUs, modality) {
      const key = keyOf(fault, modality);
      const event = active.get(key);
      if (event === undefined) return;
      active.delete(key);
      onFault({ ...event, phase: 'cleared', tUs });
    },
    isRaised: (fault, modality) => active.has(keyOf(fault, modality)),
    raised: () => [...active.values()],
    counts: () => ({ ...counts }),
  };
}
