/** What the test of whole boards (`board-run.ts`) and its program in the guest tell each other. */
import type { ChipName } from '../../agent/sensors/registry.ts';
import type { ClockReading } from './clock-fit.ts';

export interface BoardRun {
  readonly chip: ChipName;
  readonly address: number;
  /** That the chip really has. */
  readonly rateHz: number;
  /** From the learner's first training on. */
  readonly seconds: number;
}

export interface Load {
  /** Of one processor, percent. */
  readonly cpuPercent: number;
  /** Resident, at the end and at most, MB. */
  readonly rssMb: number;
  readonly peakMb: number;
}

export interface BoardFacts {
  /** What `qqr agent probe --json` printed. */
  readonly probed: string;
  readonly readings: readonly ClockReading[];
  /** On the board's monotonic clock, microseconds: what was watched. */
  readonly fromUs: number;
  readonly toUs: number;
  /** The longest that a program beside the agent had to wait for a processor meanwhile, milliseconds. */
  readonly stallMs: number;
  readonly agent: Load;
  readonly learner: Load | null;
  /** Rounds that the learner finished while it was watched. */
  readonly rounds: number;
  readonly agentLog: string;
  readonly exit: { readonly code: number | null; readonly signal: string | null };
}
