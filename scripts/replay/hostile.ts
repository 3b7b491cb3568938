/**
 * Boards that mean harm, for experiments: what a simulated board would send is made worse on its way out, as far as intake still takes
 * it (a change that is too long is refused and harms nobody). What a fleet loses by it is what its guard is worth.
 * Who is hostile follows from the seed and the number of boards, so that the same boards are in every strategy; what noise is drawn,
 * from seed, board and round.
 */
import { createRng, type Rng } from '../../core/math/rng.ts';
import { paramLayout } from '../../core/model/params.ts';
import type { ModelSpec } from '../../core/model/spec.ts';
import { normOf } from '../../core/qqr/clip.ts';
import { dequantize, quantize } from '../../core/quant/affine.ts';
import { MAX_VALUE, SUM_RESOLUTION, type UpdateLimits } from '../../core/wire/limits.ts';
import { type GroupValues, groupShapes, groupValues } from '../../core/wire/model-values.ts';
import type { Update } from '../../core/wire/update.ts';

/**
 * `flipped`: the opposite of what was learned. `scaled`: a hundred times it, or as long as is taken. `reversed`: both. `noise`: normal
 * values, as long as is taken. `nan`: no numbers. `labels`: learned from labels of which each is the next class's.
 * `statistics`: honest but for round 0, where its sensors are said to be offset by 100 in every channel.
 */
export const HOSTILE_KINDS = ['flipped', 'scaled', 'reversed', 'noise', 'nan', 'labels', 'statistics'] as const;
export type HostileKind = (typeof HOSTILE_KINDS)[number];

export interface HostilePlan {
  readonly kind: HostileKind;
  /** Of the boards, rounded down. */
  readonly share: number;
}

export interface Hostility {
  /** Label that a board is told in the place of a window's own. */
  told(device: string, label: string): string;
  /** What a board sends in the place of its update. */
  sent(update: Update): Update;
}

/** Times what was learned, unless it gets too long before. */
const SCALE = 100;
const OFFSET = 100;
/** Just within what intake takes. */
const WITHIN = 0.99;

export function createHostility(
  plan: HostilePlan | null,
  boards: readonly string[],
  { spec, classes, limits, seed }: HostileWorld,
): Hostility {
  if (plan === null) return { told: (_, label) => label, sent: (update) => update };
  const { kind } = plan;
  const rng = createRng(`${seed}/hostile`);
  const count = Math.floor(plan.share * boards.length + 1e-9);
  const hostile = new Set(rng.shuffled([...boards].sort()).slice(0, count));
  return {
    told(device, label) {
      if (kind !== 'labels' || !hostile.has(device) || !classes.includes(label)) return label;
      return classes[(classes.indexOf(label) + 1) % classes.length] as string;
    },
    sent(update) {
      if (!hostile.has(update.device) || kind === 'labels') return update;
      const isStatistics = update.modalities.some(({ sums }) => sums !== null);
      if (kind === 'statistics') return isStatistics ? withOffset(update) : update;
      if (isStatistics) return update;
      return spoilt(update, kind, spec, limits, rng.fork(`${update.device}/${update.round}`));
    },
  };
}

export interface HostileWorld {
  readonly spec: ModelSpec;
  readonly classes: readonly string[];
  readonly limits: UpdateLimits;
  readonly seed: number;
}

type Spoiling = Exclude<HostileKind, 'labels' | 'statistics'>;

function spoilt(update: Update, kind: Spoiling, spec: ModelSpec, { maxDeltaNorm }: UpdateLimits, rng: Rng): Update {
  const shapes = groupShapes(paramLayout(spec));
  const groups = groupValues(update, shapes) ?? [];
  const factor = Math.min(SCALE, longest(groups, WITHIN * maxDeltaNorm));
  const times = { flipped: -1, scaled: factor, reversed: -factor, nan: Number.NaN, noise: 0 }[kind];
  const changed = kind === 'noise' ? noise(groups, WITHIN * maxDeltaNorm, rng) : scaled(groups, times);
  const model = changed.map(({ group, values }) => {
    const sizes = shapes.find((shape) => shape.group === group)?.sizes ?? [];
    let from = 0;
    const tensors = sizes.map((size) => {
      from += size;
      return quantize(values.slice(from - size, from), 32);
    });
    return { group, tensors };
  });
  const modalities = update.modalities.map((report) => {
    const { prototypes } = report;
    if (prototypes === null) return report;
    const values = dequantize(prototypes.values).map((value) =>
      kind === 'noise'
        ? rng.normal() * SCALE
        : value * { flipped: -1, scaled: SCALE, reversed: -SCALE, nan: times }[kind],
    );
    return { ...report, prototypes: { ...prototypes, values: quantize(values.map(within), 32) } };
  });
  return { ...update, model, coded: null, modalities };
}

/** What a change may be multiplied by and still be taken. */
function longest(groups: readonly GroupValues[], maxNorm: number): number {
  const most = groups.reduce((top, { values }) => values.reduce((max, v) => Math.max(max, Math.abs(v)), top), 0);
  return Math.min(maxNorm / normOf(groups), (WITHIN * MAX_VALUE) / most);
}

function scaled(groups: readonly GroupValues[], by: number): GroupValues[] {
  return groups.map(({ group, values }) => ({ group, values: values.map((value) => value * by) }));
}

function noise(groups: readonly GroupValues[], length: number, rng: Rng): GroupValues[] {
  const drawn = groups.map(({ group, values }) => ({ group, values: values.map(() => rng.normal()) }));
  return scaled(drawn, Math.min(length / normOf(drawn), longest(drawn, length)));
}

function within(value: number): number {
  return Math.max(-MAX_VALUE, Math.min(MAX_VALUE, value));
}

/** As if every sample had been larger by `OFFSET`. */
function withOffset(update: Update): Update {
  const modalities = update.modalities.map((report) => {
    if (report.sums === null) return report;
    const { count, sum, sumSquares } = report.sums;
    const steps = (value: number) => Math.round(value / SUM_RESOLUTION) * SUM_RESOLUTION;
    const sums = {
      count,
      sum: sum.map((total) => steps(total + OFFSET * count)),
      sumSquares: sumSquares.map((total, c) => steps(total + 2 * OFFSET * (sum[c] as number) + OFFSET ** 2 * count)),
    };
    return { ...report, sums };
  });
  return { ...update, modalities };
}
