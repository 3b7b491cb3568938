/**
 * What a saved model says of recordings, window by window, as a board with that model would: the same windows, the same judgement
 * of quality, the same prediction with its second opinion.
 */
import { type BatchWindow, makeBatch } from '../../core/model/batch.ts';
import type { Network } from '../../core/model/network.ts';
import { predict } from '../../core/model/predict.ts';
import { predictionAt } from '../../core/model/prediction.ts';
import type { DataSet } from '../../core/trace/recording.ts';
import { type JudgedWindow, judgedWindows } from '../data/judged-windows.ts';
import { quoted } from '../data/windows-csv.ts';
import type { SavedModel } from '../model/saved-model.ts';

/** Windows that are predicted at once: bounds memory. */
const SLICE = 512;

export interface WindowPrediction {
  readonly subject: string;
  readonly recording: number;
  readonly startS: number;
  readonly endS: number;
  /** Null: "don't know", no sensor of the model was there. */
  readonly class: string | null;
  /** In [0, 1], calibrated; 0 for "don't know". */
  readonly confidence: number;
  /** What the recording says; null: nothing. */
  readonly label: string | null;
  /** By modality of the model, in [0, 1]; 0: not there. */
  readonly quality: Readonly<Record<string, number>>;
}

/** @throws AppError `shape-mismatch` when a recording cannot serve the model */
export function predictDataSet(
  network: Network,
  saved: SavedModel,
  { recordings }: DataSet,
  overlap: number,
): WindowPrediction[] {
  const cutting = { wanted: saved.spec.modalities, windowSeconds: saved.windowSeconds, overlap };
  const predictions: WindowPrediction[] = [];
  for (const [place, recording] of recordings.entries()) {
    const windows = [...judgedWindows(recording, place, cutting)];
    for (let from = 0; from < windows.length; from += SLICE)
      predictions.push(...predictWindows(network, saved, windows.slice(from, from + SLICE)));
  }
  return predictions;
}

function predictWindows(network: Network, saved: SavedModel, windows: readonly JudgedWindow[]): WindowPrediction[] {
  const { spec, params, prototypes, temperature, settings, normalization, windowSeconds } = saved;
  const toBatch = ({ values, judgement: { quality } }: JudgedWindow): BatchWindow => ({ values, quality, label: -1 });
  const batch = makeBatch(windows.map(toBatch), spec, normalization);
  const probabilities = predict(network, { params, prototypes, temperature, batch, settings });
  return windows.map(({ subject, recording, tStartUs, label, judgement }, i) => {
    const { class: best, confidence } = predictionAt(probabilities, i, spec.classes.length);
    const quality = spec.modalities.map(({ name }, m) => [name, rounded(judgement.quality[m] as number)]);
    return {
      subject,
      recording,
      startS: tStartUs / 1e6,
      endS: tStartUs / 1e6 + windowSeconds,
      class: best === null ? null : (spec.classes[best] as string),
      confidence: rounded(confidence),
      label,
      quality: Object.fromEntries(quality),
    };
  });
}

export interface Score {
  /** Windows whose label is a class of the model. */
  readonly labelled: number;
  readonly accuracy: number;
  /** By label and then by prediction, `(don't know)` among them; only what occurred. */
  readonly confusion: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export const DONT_KNOW = "(don't know)";

/** Null when no window has a label that the model knows. */
export function scoreOf(predictions: readonly WindowPrediction[], classes: readonly string[]): Score | null {
  const confusion: Record<string, Record<string, number>> = {};
  let labelled = 0;
  let right = 0;
  for (const { label, class: predicted } of predictions) {
    if (label === null || !classes.includes(label)) continue;
    labelled++;
    if (predicted === label) right++;
    const row = Object.hasOwn(confusion, label) ? (confusion[label] as Record<string, number>) : {};
    confusion[label] = row;
    const column = predicted ?? DONT_KNOW;
    row[column] = (row[column] ?? 0) + 1;
  }
  return labelled === 0 ? null : { labelled, accuracy: right / labelled, confusion };
}

/** A row per window: subject, recording, start_s, end_s, class (empty: "don't know"), confidence, label, quality of each modality. */
export function predictionsCsv(predictions: readonly WindowPrediction[], modalities: readonly string[]): string {
  const head = ['subject', 'recording', 'start_s', 'end_s', 'class', 'confidence', 'label'];
  const lines = [[...head, ...modalities.map((name) => `${name}_quality`)].join()];
  for (const { subject, recording, startS, endS, class: predicted, confidence, label, quality } of predictions) {
    const names = [quoted(predicted ?? ''), confidence, quoted(label ?? '')];
    const qualities = modalities.map((name) => quality[name]);
    lines.push([quoted(subject), recording, seconds(startS), seconds(endS), ...names, ...qualities].join());
  }
  return `${lines.join('\n')}\n`;
}

function seconds(value: number): string {
  return String(Math.round(value * 1e6) / 1e6);
}

function rounded(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
