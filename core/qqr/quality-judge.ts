/**
 * The quality of every modality of a window, with the reason, and what the board learns from it (docs/quality.md):
 *   quality = min(robust score, own scorer),  why = what the smaller one says
 * The scorer is optional, a part of the library that boards do not use yet: with none the robust score is the quality.
 * The robust score alone (`quality.ts`) decides what may teach, the scorer too: a scorer that let itself be taught could talk itself
 * into anything. Whom does a tilt that does not fit blame, accelerometer or gyroscope? The one that looks worse by its own measures.
 * A modality that is not there has quality 0 for the reason `completeness`.
 * Invariant: what `judge` returns depends on the windows so far, the seed and nothing else; it goes on from `state()` to the same bits.
 */
import { measureTilt } from './measure-tilt.ts';
import { MEASURES, measure } from './measures.ts';
import { createQualityReference, type QualityReference, type QualityState, type Why } from './quality.ts';
import type { PartialPrior } from './quality-prior.ts';
import { createQualityScorer, type QualityScorer, type ScorerState, type Spoil } from './quality-scorer.ts';

export interface JudgeModality {
  readonly unit: string;
  readonly sampleRateHz: number;
  readonly channels: readonly string[];
}

export interface JudgeOptions {
  /** In the order of a window's values. */
  readonly modalities: readonly JudgeModality[];
  /** Absent: no scorer, the robust score alone. */
  readonly scorer?: { readonly spoil: Spoil; readonly seed: string };
  /** Per modality what the fleet's sensors read, see `ReferenceOptions`. */
  readonly fleet?: readonly (PartialPrior | undefined)[];
}

export interface Judgement {
  /** Per modality, [0, 1]: the smaller of the two below. */
  readonly quality: readonly number[];
  /** Per modality what the rules say, 0 where absent. */
  readonly robust: readonly number[];
  /** Per modality what the board's own scorer says; 1 where there is none, or none that knows enough, 0 where absent. */
  readonly scorer: readonly number[];
  /** Per modality; null only for a quality of exactly 1. */
  readonly why: readonly (Why | null)[];
  /** Per modality a vector indexed by `MEASURES`; null where absent. */
  readonly measures: readonly (Float32Array | null)[];
}

/** Per modality; plain JSON. The state of a reference alone is a state of a judge, too. */
export type JudgeState = readonly (QualityState & {
  readonly scorer?: ScorerState;
  /** How many windows each reason has made bad (below ½) so far. */
  readonly bad?: Readonly<Partial<Record<Why, number>>>;
})[];

/** What is judged: a `Window`, of which only this is needed. */
export interface JudgedWindow {
  readonly values: readonly (Float32Array | null)[];
  readonly completeness: readonly number[];
}

export interface QualityJudge {
  /** Judges a window, then learns from it. Windows come in the order of the stream. */
  judge(window: JudgedWindow): Judgement;
  /** The same without learning. */
  score(window: JudgedWindow): Judgement;
  /** A snapshot to go on from. */
  state(): JudgeState;
}

interface Bench {
  readonly modality: JudgeModality;
  readonly reference: QualityReference;
  readonly scorer: QualityScorer | null;
  readonly bad: Partial<Record<Why, number>>;
}

export function createQualityJudge({ modalities, scorer, fleet }: JudgeOptions, state?: JudgeState): QualityJudge {
  const benches = modalities.map((modality, m): Bench => {
    const { unit, sampleRateHz } = modality;
    const prior = fleet?.[m];
    const own = { unit, channels: modality.channels.length, seed: `${scorer?.seed}/${m}` };
    return {
      modality,
      reference: createQualityReference({ unit, sampleRateHz, ...(prior && { fleet: prior }) }, state?.[m]),
      scorer: scorer ? createQualityScorer({ ...own, spoil: scorer.spoil }, state?.[m]?.scorer) : null,
      bad: { ...state?.[m]?.bad },
    };
  });
  const score = ({ values, completeness }: JudgedWindow): Judgement => {
    const measures = benches.map(({ modality: { channels, unit } }, m) => {
      const of = values[m] ?? null;
      return of === null ? null : measure(of, channels.length, unit);
    });
    blameTilt(benches, values, measures);
    const scores = benches.map((bench, m) => scoreOne(bench, measures[m] ?? null, completeness[m] as number));
    return {
      quality: scores.map(({ robust, own }) => Math.min(robust.quality, own)),
      robust: scores.map(({ robust }) => robust.quality),
      scorer: scores.map(({ own }) => own),
      why: scores.map(({ robust, own }, m) => (own < robust.quality ? whyOf(benches[m], measures[m]) : robust.why)),
      measures,
    };
  };
  return {
    score,
    judge(window) {
      const judgement = score(window);
      benches.forEach((bench, m) => {
        learn(bench, window.values[m] ?? null, judgement, m);
      });
      return judgement;
    },
    state: () =>
      benches.map(({ reference, scorer: own, bad }) => ({
        ...reference.state(),
        ...(own && { scorer: own.state() }),
        bad: { ...bad },
      })),
  };
}

function scoreOne({ reference, scorer }: Bench, measures: Float32Array | null, completeness: number) {
  if (measures === null) return { robust: { quality: 0, why: 'completeness' as const }, own: 0 };
  return { robust: reference.score(measures, completeness), own: scorer?.score(measures) ?? 1 };
}

function whyOf(bench: Bench | undefined, measures: Float32Array | null | undefined): Why | null {
  return measures ? (bench?.scorer?.why(measures) ?? null) : null;
}

function learn({ reference, scorer, bad }: Bench, values: Float32Array | null, judged: Judgement, m: number): void {
  const [quality, why, measures] = [judged.quality[m] as number, judged.why[m], judged.measures[m] ?? null];
  if (quality < 0.5 && why) bad[why] = (bad[why] ?? 0) + 1;
  if (values === null || measures === null) return;
  const isGood = reference.learn(measures, { quality: judged.robust[m] as number, why: null });
  if (isGood) scorer?.learn(values, measures);
}

/** Writes the tilt into the measures of the one that is to answer for it: of the first accelerometer or the first gyroscope. */
function blameTilt(
  benches: readonly Bench[],
  values: readonly (Float32Array | null)[],
  measures: readonly (Float32Array | null)[],
): void {
  const first = (unit: string) => benches.findIndex(({ modality: of }) => of.unit === unit && of.channels.length === 3);
  const [a, g] = [first('mps2'), first('radps')];
  const [acceleration, rotation] = [values[a] ?? null, values[g] ?? null];
  if (acceleration === null || rotation === null) return;
  const quality = (m: number) => {
    const { reference } = benches[m] as Bench;
    return reference.score(measures[m] as Float32Array, 1).quality;
  };
  const blamed = quality(a) < quality(g) ? a : g;
  const tilt = measureTilt(
    { values: acceleration, sampleRateHz: (benches[a] as Bench).modality.sampleRateHz },
    { values: rotation, sampleRateHz: (benches[g] as Bench).modality.sampleRateHz },
  );
  (measures[blamed] as Float32Array)[MEASURES.tilt] = tilt;
}
