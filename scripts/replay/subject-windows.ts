/**
 * The windows of a data set's subjects, cut once however many seeds and runs ask for them. Cutting HAPT takes longer than everything else
 * in a plan together. Kept as long as the data set itself.
 */
import type { WindowModality } from '../../core/stream/align.ts';
import type { Window } from '../../core/stream/window.ts';
import { joinRecordings, windowsOf } from '../../core/trace/order.ts';
import type { DataSet, RecordedModality, Recording } from '../../core/trace/recording.ts';

export interface Cutting {
  readonly wanted: readonly WindowModality[];
  readonly windowSeconds: number;
  readonly overlap: number;
}

const kept = new WeakMap<DataSet, Map<string, readonly Window[]>>();

/** Every window of a subject as recorded, labelled or not; nobody may change the arrays in them. */
export function subjectWindows(dataSet: DataSet, subject: string, cutting: Cutting): readonly Window[] {
  const ofDataSet = kept.get(dataSet) ?? new Map<string, readonly Window[]>();
  kept.set(dataSet, ofDataSet);
  const key = JSON.stringify([subject, cutting]);
  const known = ofDataSet.get(key);
  if (known !== undefined) return known;
  const windows = windowsOf(subjectRecording(dataSet, subject), cutting);
  ofDataSet.set(key, windows);
  return windows;
}

/** All recordings of a subject, one after the other. */
export function subjectRecording(dataSet: DataSet, subject: string): Recording {
  return joinRecordings(dataSet.recordings.filter((recording) => recording.subject === subject));
}

/** The recording with exactly the wanted modalities, in their order; one that it lacks has no samples. */
export function withModalities(recording: Recording, wanted: readonly WindowModality[]): Recording {
  const modalities = wanted.map(({ name, unit, channels, sampleRateHz }): RecordedModality => {
    const found = recording.modalities.find((modality) => modality.name === name);
    return found ?? { name, unit, channels, sampleRateHz, tUs: new Float64Array(0), values: new Float32Array(0) };
  });
  return { ...recording, modalities };
}
