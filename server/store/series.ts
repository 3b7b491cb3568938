/**
 * Curves over rounds: at most as many points as asked for, each the mean over neighbouring rounds of what is known there, and regret,
 * which adds up from the first round of the query to the last one of a point.
 * Invariant: the longest span that is read in one go is `MAX_SERIES_ROUNDS`.
 */
import type Database from 'better-sqlite3';
import { hindsightRegret } from './hindsight-regret.ts';

/** Rounds that one query may span. */
export const MAX_SERIES_ROUNDS = 50_000;

export interface SeriesQuery {
  /** First and last round, to − from < MAX_SERIES_ROUNDS. */
  readonly from: number;
  readonly to: number;
  /** Most points, at least 1. */
  readonly points: number;
}

export interface Series {
  /** Rounds that a point stands for. */
  readonly step: number;
  /** Last closed round of each point, ascending; a point without any closed round is left out. */
  readonly rounds: readonly number[];
  /** By name, as long as `rounds`; null where nothing is known. */
  readonly columns: Readonly<Record<string, readonly (number | null)[]>>;
  /** By which power of the number of rounds regret grows; null where that is not defined. */
  readonly regretExponent: number | null;
}

const FACTS = {
  boards: 'boards',
  refused: 'refused',
  durationMs: 'duration_ms',
  payloadBytes: 'payload_bytes',
  fp32Bytes: 'fp32_bytes',
  modelBytes: 'model_bytes',
  prototypeBytes: 'prototype_bytes',
  onlineAccuracy: 'online_accuracy',
  onlineLoss: 'online_loss',
} as const;

const MEANS = Object.entries(FACTS).map(([name, column]) => `avg(${column}) AS ${name}`);

export function readSeries(db: Database.Database, { from, to, points }: SeriesQuery): Series {
  const step = Math.max(1, Math.ceil((to - from + 1) / points));
  const facts = db
    .prepare<[number, number, number, number], Record<string, number | null> & { bucket: number; last: number }>(
      `SELECT CAST((round - ?) / ? AS INTEGER) AS bucket, max(round) AS last, ${MEANS.join(', ')} FROM round_facts
       WHERE round BETWEEN ? AND ? GROUP BY bucket ORDER BY bucket`,
    )
    .all(from, step, from, to);
  const values = db
    .prepare<[number, number, number, number], { bucket: number; name: string; value: number }>(
      `SELECT CAST((round - ?) / ? AS INTEGER) AS bucket, name, avg(value) AS value FROM round_values
       WHERE round BETWEEN ? AND ? GROUP BY name, bucket`,
    )
    .all(from, step, from, to);
  const columns: Record<string, (number | null)[]> = {};
  for (const name of Object.keys(FACTS)) columns[name] = facts.map((row) => row[name] ?? null);
  const placeOf = new Map(facts.map(({ bucket }, place) => [bucket, place]));
  for (const { bucket, name, value } of values) {
    columns[name] ??= facts.map(() => null);
    (columns[name] as (number | null)[])[placeOf.get(bucket) as number] = value;
  }
  const rounds = facts.map(({ last }) => last);
  const { regret, regretExponent } = readRegret(db, from, rounds);
  columns['regret'] = regret;
  return { step, rounds, columns, regretExponent };
}

/** Counted from `from` on, at each of `rounds`; null before the first round with a loss. */
function readRegret(db: Database.Database, from: number, rounds: readonly number[]) {
  const scored = db
    .prepare<[number, number], { round: number; loss: number }>(
      `SELECT round, online_loss AS loss FROM round_facts WHERE round BETWEEN ? AND ? AND online_loss IS NOT NULL ORDER BY round`,
    )
    .all(from, rounds.at(-1) ?? from);
  const { at, exponent } = hindsightRegret(scored.map(({ loss }) => loss));
  let count = 0;
  const regret = rounds.map((round) => {
    while (count < scored.length && (scored[count] as { round: number }).round <= round) count++;
    return count === 0 ? null : at(count);
  });
  return { regret, regretExponent: exponent() };
}
