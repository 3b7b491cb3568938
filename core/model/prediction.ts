/** What is said of one window, from its row of class probabilities. */
import { mostProbable } from './evaluate.ts';

export interface Prediction {
  /** Index of the most probable class; null: "don't know", because the window had no sensor to go by. */
  readonly class: number | null;
  /** Its probability, calibrated (`calibration.ts`); 0 for "don't know". */
  readonly confidence: number;
}

/** Row `row` of `[N, classes]` as `predict` returns them. */
export function predictionAt(probabilities: Float32Array, row: number, classes: number): Prediction {
  const best = mostProbable(probabilities, row, classes);
  return best < 0
    ? { class: null, confidence: 0 }
    : { class: best, confidence: probabilities[row * classes + best] as number };
}
