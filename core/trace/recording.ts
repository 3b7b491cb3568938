/**
 * A recording in memory: what a trace file holds, whole. Transformations (order, faults) are functions from recording to recording,
 * so the sensor that plays one needs to know nothing about experiments.
 */
import type { StreamModality } from '../stream/event.ts';

/** All samples of one modality, in order of time. A gap in time is a gap: nothing stands in for it. */
export interface RecordedModality extends StreamModality {
  /** `[n]` microseconds from the start of the recording, integers, strictly increasing. */
  readonly tUs: Float64Array;
  /** `[n, channels]` row-major, physical units. */
  readonly values: Float32Array;
}

export interface Recording {
  /** Whose motion it is; boards are made by subject. */
  readonly subject: string;
  readonly modalities: readonly RecordedModality[];
  /** From `tUs` on the label holds until the next entry; ascending times; null = unlabelled. */
  readonly labels: readonly { readonly tUs: number; readonly label: string | null }[];
}

/** Recordings that belong together. */
export interface DataSet {
  readonly name: string;
  /** In the order of the publisher; the default class list of a model. */
  readonly classes: readonly string[];
  readonly recordings: readonly Recording[];
  /** Test subjects of the published split, where there is one. */
  readonly publishedTestSubjects: readonly string[] | null;
  /** Licence and citation, shown to whoever uses it. */
  readonly terms: string;
}
