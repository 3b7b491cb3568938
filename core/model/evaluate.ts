/** Scores of class probabilities against labels: pure, no TensorFlow. Windows with an unknown label (−1) do not count. */

/** Share of labelled windows whose most probable class (the first of equals) is theirs; NaN when none is labelled. */
export function accuracyOf(probabilities: Float32Array, labels: Int32Array, classes: number): number {
  let right = 0;
  let counted = 0;
  for (const [i, label] of labels.entries()) {
    if (label < 0) continue;
    counted++;
    if (mostProbable(probabilities, i, classes) === label) right++;
  }
  return right / counted;
}

/** Mean −ln p(label), natural logarithm, probabilities floored at 1e-7; NaN when no window is labelled. */
export function crossEntropyOf(probabilities: Float32Array, labels: Int32Array, classes: number): number {
  let sum = 0;
  let counted = 0;
  for (const [i, label] of labels.entries()) {
    if (label < 0) continue;
    counted++;
    sum -= Math.log(Math.max(probabilities[i * classes + label] as number, 1e-7));
  }
  return sum / counted;
}

/** Class index of the largest probability in row `row` of `[N, classes]`, the first of equals; −1 for a row of zeros, which says "don't know". */
export function mostProbable(probabilities: Float32Array, row: number, classes: number): number {
  let best = 0;
  for (let c = 1; c < classes; c++) {
    if ((probabilities[row * classes + c] as number) > (probabilities[row * classes + best] as number)) best = c;
  }
  return (probabilities[row * classes + best] as number) > 0 ? best : -1;
}
