/**
 * Softmax regression, the convex model of the regret experiment: loss and gradient, and the best weights for a whole stream by
 * L-BFGS (Nocedal & Wright 2006, algorithm 7.4). Plain arrays, deterministic.
 * A row of weights per class, the last column is the bias.
 */

export interface Example {
  /** `[D]`, without the 1 for the bias. */
  readonly features: Float64Array;
  readonly label: number;
}

/** Mean cross-entropy (nats) of `weights` `[C, D + 1]`; adds the mean gradient to `gradient` unless that is null. */
export function softmaxLoss(
  weights: Float64Array,
  examples: readonly Example[],
  classes: number,
  gradient: Float64Array | null,
): number {
  const columns = weights.length / classes;
  const probabilities = new Float64Array(classes);
  let loss = 0;
  for (const { features, label } of examples) {
    let highest = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c++) {
      let score = weights[c * columns + columns - 1] as number;
      for (let i = 0; i < features.length; i++) score += (weights[c * columns + i] as number) * (features[i] as number);
      probabilities[c] = score;
      highest = Math.max(highest, score);
    }
    let total = 0;
    for (let c = 0; c < classes; c++) total += Math.exp((probabilities[c] as number) - highest);
    loss += highest + Math.log(total) - (probabilities[label] as number);
    if (gradient === null) continue;
    for (let c = 0; c < classes; c++) {
      const p = Math.exp((probabilities[c] as number) - highest) / total;
      const slope = (p - (c === label ? 1 : 0)) / examples.length;
      const row = c * columns;
      for (let i = 0; i < features.length; i++) {
        gradient[row + i] = (gradient[row + i] as number) + slope * (features[i] as number);
      }
      gradient[row + columns - 1] = (gradient[row + columns - 1] as number) + slope;
    }
  }
  return loss / examples.length;
}

export interface FitOptions {
  readonly classes: number;
  /** Where to start, `[C, D + 1]`; not changed. */
  readonly start: Float64Array;
  /** Weight of ½‖w‖² in what is minimized: keeps the weights finite where classes can be told apart without an error. */
  readonly ridge: number;
  /** Most iterations, each one or two passes over the examples. */
  readonly steps: number;
  /** Ends when the gradient is shorter than that. */
  readonly tolerance: number;
}

interface Point {
  readonly weights: Float64Array;
  readonly value: number;
  readonly gradient: Float64Array;
}

interface Curvature {
  readonly moved: Float64Array;
  readonly turned: Float64Array;
}

/** How many past steps tell of the curvature. */
const MEMORY = 12;

/** Weights of (nearly) least mean loss plus ridge over `examples`, at least one. */
export function fitSoftmax(examples: readonly Example[], options: FitOptions): Float64Array {
  const at = (weights: Float64Array): Point => {
    const gradient = weights.map((weight) => options.ridge * weight);
    const loss = softmaxLoss(weights, examples, options.classes, gradient);
    return { weights, value: loss + (options.ridge * dot(weights, weights)) / 2, gradient };
  };
  let point = at(options.start.slice());
  let past: Curvature[] = [];
  for (let n = 0; n < options.steps && Math.sqrt(dot(point.gradient, point.gradient)) > options.tolerance; n++) {
    const next = descend(point, downhill(point.gradient, past), at);
    if (next === null) break;
    const moved = next.weights.map((value, i) => value - (point.weights[i] as number));
    const turned = next.gradient.map((value, i) => value - (point.gradient[i] as number));
    if (dot(moved, turned) > 0) past = [...past.slice(1 - MEMORY), { moved, turned }];
    point = next;
  }
  return point.weights;
}

/** Halves the step until the value falls enough (Armijo); null when even the smallest does not make it fall. */
function descend(from: Point, direction: Float64Array, at: (weights: Float64Array) => Point): Point | null {
  const slope = dot(from.gradient, direction);
  for (let step = 1; step > 1e-8; step /= 2) {
    const next = at(from.weights.map((value, i) => value + step * (direction[i] as number)));
    if (next.value <= from.value + 1e-4 * step * slope) return next;
  }
  return null;
}

/** The two-loop recursion: −H⁻¹ g with the curvature that past steps have seen. */
function downhill(gradient: Float64Array, past: readonly Curvature[]): Float64Array {
  const direction = gradient.map((value) => -value);
  const shares: number[] = [];
  for (let k = past.length - 1; k >= 0; k--) {
    const { moved, turned } = past[k] as Curvature;
    const share = dot(moved, direction) / dot(moved, turned);
    shares[k] = share;
    for (let i = 0; i < direction.length; i++) direction[i] = (direction[i] as number) - share * (turned[i] as number);
  }
  const last = past.at(-1);
  const scale = last === undefined ? 1 : dot(last.moved, last.turned) / dot(last.turned, last.turned);
  for (let i = 0; i < direction.length; i++) direction[i] = scale * (direction[i] as number);
  for (const [k, { moved, turned }] of past.entries()) {
    const share = (shares[k] as number) - dot(turned, direction) / dot(moved, turned);
    for (let i = 0; i < direction.length; i++) direction[i] = (direction[i] as number) + share * (moved[i] as number);
  }
  return direction;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
