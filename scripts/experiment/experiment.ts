/**
 * What an experiment is: a question, trials as a pure function of the data's facts, and how its figures are drawn.
 * Nothing here runs anything; catalogue.ts lists them all.
 */
import type { Trial, TrialResult } from './trial.ts';

/** What lists of trials may know of the recordings. */
export interface DataFacts {
  readonly name: string;
  /** In the order of the data set. */
  readonly subjects: readonly string[];
  readonly modalities: readonly string[];
  readonly hasPublishedSplit: boolean;
  /** Of the recordings' values: trials on other recordings are other trials. */
  readonly digest: string;
}

export interface ListContext {
  readonly data: DataFacts;
  /** How many seeds an arm gets, at least 1. */
  readonly seeds: number;
  /** A short form that shows the shape of the answer, not the answer. */
  readonly isQuick: boolean;
}

/** Result by trial key. */
export type Results = ReadonlyMap<string, TrialResult>;

/** Trials that can be named before any of them has run; a later stage may choose by the results of the earlier ones. */
export type Stage = (context: ListContext, results: Results) => readonly Trial[];

export interface Figure {
  readonly id: string;
  readonly title: string;
  /** One or two sentences: what is varied, what each point is. */
  readonly caption: string;
  readonly xLabel: string;
  /** `curve`: x is the round, and each trial gives a whole line (its curve named by the metric). */
  readonly x: 'linear' | 'log' | 'ordinal' | 'curve';
  /** Names or prefixes ending in `/` of the metrics to show, in order; see metric.ts. */
  readonly metrics: readonly string[];
  /** Series that all others are compared with, paired by seed and x; null = no comparison. */
  readonly baseline: string | null;
}

export interface Experiment {
  readonly name: string;
  readonly title: string;
  /** What it asks, one sentence. */
  readonly question: string;
  /** What the paper's summary says about it, and whose claim it is; empty when nothing. */
  readonly claims: readonly string[];
  /** Modalities that the recordings must have at least. */
  readonly leastModalities: number;
  readonly figures: readonly Figure[];
  readonly stages: readonly Stage[];
}
