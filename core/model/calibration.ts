/**
 * Whether a confidence means what it says: of the predictions made with 80 % confidence four in five should be right. What overstates
 * is divided away: all log-probabilities by one temperature T of the fleet (Guo et al., ICML 2017), which changes no prediction.
 * T is not fitted on a set put aside but follows what boards see anyway when they predict a round's windows before they train on them:
 *   ln T ← ln T + η · (mean confidence − accuracy) ,  η = 2, so that a gap is closed in about three rounds.
 * Pure, no TensorFlow. Windows with an unknown label (−1) do not count.
 */
import { TEMPERATURE_RANGE } from './global-state.ts';
import { predictionAt } from './prediction.ts';

const RATE = 2;

/** Bins of the expected calibration error. */
const BINS = 15;

/** Summed over windows: confidence − (1 if right, else 0). Above 0: claims more than it keeps. "Don't know" adds nothing. */
export function overconfidenceOf(probabilities: Float32Array, labels: Int32Array, classes: number): number {
  return judged(probabilities, labels, classes).reduce((sum, { confidence, right }) => sum + confidence - right, 0);
}

/** The temperature after a round whose windows' mean confidence exceeded their accuracy by `gap`, in [−1, 1]. */
export function nextTemperature(temperature: number, gap: number): number {
  const [least, most] = TEMPERATURE_RANGE;
  return Math.min(most, Math.max(least, temperature * Math.exp(RATE * gap)));
}

/**
 * Expected calibration error in [0, 1] over 15 bins of equally many predictions: the bins' mean |mean confidence − accuracy|,
 * weighed by their numbers. Not a number when no window is labelled.
 */
export function calibrationErrorOf(probabilities: Float32Array, labels: Int32Array, classes: number): number {
  const sorted = judged(probabilities, labels, classes).sort((a, b) => a.confidence - b.confidence);
  let error = 0;
  for (let bin = 0; bin < BINS; bin++) {
    const from = Math.floor((bin * sorted.length) / BINS);
    const to = Math.floor(((bin + 1) * sorted.length) / BINS);
    error += Math.abs(sorted.slice(from, to).reduce((sum, { confidence, right }) => sum + confidence - right, 0));
  }
  return error / sorted.length;
}

function judged(probabilities: Float32Array, labels: Int32Array, classes: number) {
  return Array.from(labels, (label, i) => ({ label, ...predictionAt(probabilities, i, classes) }))
    .filter(({ label }) => label >= 0)
    .map(({ label, class: predicted, confidence }) => ({ confidence, right: predicted === label ? 1 : 0 }));
}
