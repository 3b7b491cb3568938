/**
 * Which sensors of a board fail in which round, by seed (docs/replay.md, failing sensors). A *block* is what a board lives in one round:
 * block b belongs to training round b + 1.
 * A pattern says how often a modality is missing or degraded, and for whom at once; phases change the pattern as rounds go by;
 * outages take a sensor away from one round to another, whatever the pattern draws.
 * Every block draws from a fork of its own, always the same numbers: other rates, phases or boards shift nobody's failures.
 */
import type { Rng } from '../math/rng.ts';

/** For whom one draw counts: one board in one round; all boards in one round; one board for good (an exact share of the boards). */
export const FAILURE_SCOPES = ['board-round', 'round', 'board'] as const;

export type FailureScope = (typeof FAILURE_SCOPES)[number];

export interface FailurePattern {
  /** Probability (of scope `board`: share of the boards) that a modality is missing, in [0, 1]. */
  readonly missingRate: number;
  readonly missingPer: FailureScope;
  /** Name of the modality that goes missing; null: drawn evenly. */
  readonly missingModality: string | null;
  /** The same for a modality that is there but degraded. */
  readonly degradedRate: number;
  readonly degradedPer: FailureScope;
  readonly degradedModality: string | null;
}

/** What replaces parts of the pattern up to a round. */
export interface Phase extends Partial<FailurePattern> {
  /** Last round of the phase, from 1. */
  readonly untilRound: number;
}

/** A sensor that dies and, perhaps, returns. */
export interface Outage {
  /** Name of a board, or a share in (0, 1] of all boards, which are then drawn. */
  readonly boards: string | number;
  readonly modality: string;
  /** First and last round without it, from 1; null: it never returns. */
  readonly fromRound: number;
  readonly untilRound: number | null;
}

export interface FailurePlan extends FailurePattern {
  /** Ascending `untilRound`; after the last one the pattern itself holds. */
  readonly phases: readonly Phase[];
  readonly outages: readonly Outage[];
}

/** Nothing ever fails. */
export const NO_FAILURES: FailurePlan = {
  missingRate: 0,
  missingPer: 'board-round',
  missingModality: null,
  degradedRate: 0,
  degradedPer: 'board-round',
  degradedModality: null,
  phases: [],
  outages: [],
};

export interface BlockFailures {
  /** Indices of the modalities to take away, in this order, as long as another one is left. */
  readonly missing: readonly number[];
  /** Index of the modality to degrade, if it is still there; −1 for none. */
  readonly degraded: number;
}

/** What fails in block b ≥ 0 of one board. */
export type FailureSchedule = (block: number) => BlockFailures;

export interface Fleet {
  /** Names of the boards. */
  readonly boards: readonly string[];
  /** Names of the modalities. */
  readonly modalities: readonly string[];
  /** What all boards share. */
  readonly rng: Rng;
}

interface Draws {
  readonly isMissing: number;
  readonly missing: number;
  readonly isDegraded: number;
  readonly degraded: number;
}

/**
 * @param board its name, one of `fleet.boards`
 * @param own the board's random numbers
 */
export function failureSchedule(plan: FailurePlan, fleet: Fleet, board: string, own: Rng): FailureSchedule {
  const modalities = fleet.modalities.length;
  const place = (what: string) => fleet.rng.fork(what).shuffled(fleet.boards).indexOf(board);
  const places = { missing: place('missing'), degraded: place('degraded') };
  const outages = plan.outages.filter(({ boards }, i) =>
    typeof boards === 'string' ? boards === board : place(`outage/${i}`) < Math.round(boards * fleet.boards.length),
  );
  const indexOf = (modality: string) => fleet.modalities.indexOf(modality);
  return (block) => {
    const round = block + 1;
    const pattern = { ...plan, ...plan.phases.find(({ untilRound }) => round <= untilRound) };
    const ofBoard = drawBlock(own.fork(`block/${block}`), modalities);
    const ofFleet = drawBlock(fleet.rng.fork(`block/${block}`), modalities);
    const failing = (what: 'missing' | 'degraded'): number => {
      const isMissing = what === 'missing';
      const rate = isMissing ? pattern.missingRate : pattern.degradedRate;
      const scope = isMissing ? pattern.missingPer : pattern.degradedPer;
      const fixed = isMissing ? pattern.missingModality : pattern.degradedModality;
      const draws = scope === 'round' ? ofFleet : ofBoard;
      const happens =
        scope === 'board'
          ? places[what] < Math.round(rate * fleet.boards.length)
          : (isMissing ? draws.isMissing : draws.isDegraded) < rate;
      if (!happens) return -1;
      if (fixed !== null) return indexOf(fixed);
      return scope === 'board' ? places[what] % modalities : draws[what];
    };
    const dead = outages.filter(({ fromRound, untilRound }) => round >= fromRound && round <= (untilRound ?? round));
    const missing = [...dead.map(({ modality }) => indexOf(modality)), failing('missing')].filter((m) => m >= 0);
    return { missing: [...new Set(missing)], degraded: failing('degraded') };
  };
}

function drawBlock(rng: Rng, modalities: number): Draws {
  const isMissing = rng.next();
  const missing = rng.int(modalities);
  const isDegraded = rng.next();
  const degraded = rng.int(modalities);
  return { isMissing, missing, isDegraded, degraded };
}
