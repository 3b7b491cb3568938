/**
 * A judge that a board trains itself, without labels of quality (docs/quality.md §3): a network of 8 → 12 → 1 per modality tells the
 * board's windows as they came from the same windows with a fault put in.
 *   x = (measures − center) / spread, limited to ±4;  h = tanh(W x + b);  quality = σ(v·h + c + ln PRIOR_ODDS)
 * Training shows as many spoiled windows as whole ones, life does not: hence the prior odds (Bayes' rule for a logistic output).
 * Each window that teaches costs two steps of Adam on a few remembered pairs. What is drawn depends on the seed and the window's
 * running number only, all numbers are kept in float32, so a restart from `state()` goes on to the same bits.
 * Source: telling data from made noise, Gutmann and Hyvärinen 2010; Adam, Kingma and Ba 2015.
 */
import { createRng, type Rng } from '../math/rng.ts';
import { MEASURES, type MeasureName, measure, scaleOf } from './measures.ts';

/**
 * Puts a random fault into a copy of a window.
 * @param values `[T, channels]`; not changed
 * @param sigma usual size of movement of an axis, in the unit of `values`
 */
export type Spoil = (values: Float32Array, channels: number, sigma: number, rng: Rng) => Float32Array;

export interface ScorerOptions {
  readonly unit: string;
  readonly channels: number;
  readonly spoil: Spoil;
  /** Names the stream of random numbers: another for each board and modality. */
  readonly seed: string;
}

/** Plain JSON, about 3 kB. */
export interface ScorerState {
  /** Windows that taught. */
  readonly windows: number;
  /** Running mean of the power of movement, see `MEASURES.variance`, in squares of the unit's scale. */
  readonly power: number;
  /** Base64 of little-endian float32: the weights and Adam's two moments. */
  readonly weights: string;
  /** Base64 of int8: the remembered pairs `[PAIRS, 2, INPUTS]`, in 1/32 of a spread. */
  readonly memory: string;
}

export interface QualityScorer {
  /** [0, 1]; 1 while fewer than `ENOUGH` windows have taught. */
  score(measures: Float32Array): number;
  /** The measure that pulls the score down most: with what whole windows usually read in its place, the score would rise most. */
  why(measures: Float32Array): MeasureName;
  /** Teaches with a window that is known to be good, and with a spoiled copy of it. */
  learn(values: Float32Array, measures: Float32Array): void;
  state(): ScorerState;
}

const INPUTS = 8;
const HIDDEN = 12;
/** Offsets in the weights: W `[HIDDEN, INPUTS]`, b `[HIDDEN]`, v `[HIDDEN]`, c. */
const AT = { bias: HIDDEN * INPUTS, out: HIDDEN * (INPUTS + 1), outBias: HIDDEN * (INPUTS + 2) } as const;
const WEIGHTS = AT.outBias + 1;
/**
 * What it sees, with rough middle and spread over accelerometers and gyroscopes to make inputs of order 1. Single repeated readings are
 * a sensor's steps, not its faults, and faults that are put in are not rounded to those steps: they would give themselves away by the
 * absence of repeats. So `flat` is not shown, and of `clip` and `held` only what is above `least`.
 */
const SEEN: readonly {
  readonly measure: MeasureName;
  readonly center: number;
  readonly spread: number;
  readonly least?: number;
}[] = [
  { measure: 'variance', center: -4, spread: 2.5 },
  { measure: 'clip', center: 0.1, spread: 0.1, least: 0.06 },
  { measure: 'highFrequency', center: -3, spread: 1.5 },
  { measure: 'noise', center: -4, spread: 1.2 },
  { measure: 'jump', center: 1.2, spread: 1 },
  { measure: 'level', center: -2.5, spread: 1.2 },
  { measure: 'ramp', center: -2.5, spread: 1.5 },
  { measure: 'held', center: 0.1, spread: 0.1, least: 0.05 },
];
const STEPS_OF_INPUT = 32;
/** Windows that have to teach before the scorer is heard. */
const ENOUGH = 100;
const PAIRS = 64;
/** The memory is a uniform sample of the windows so far, or of about the last `PAIRS · FORGETS`. */
const FORGETS = 16;
const STEPS = 2;
/** Pairs a step looks at, the newest among them. */
const BATCH = 16;
const LEARNING_RATE = 0.02;
const [DECAY_MEAN, DECAY_SQUARE, WEIGHT_DECAY] = [0.9, 0.99, 1e-4];
/** Whole windows for one that is spoiled. */
const PRIOR_ODDS = 9;
/** The size of movement is taken for at least this much of the unit's scale: a board that lies still has not seen any. */
const LEAST_SIGMA = 0.1;

/** For one modality of one board. `state` is an earlier `state()`. */
export function createQualityScorer(options: ScorerOptions, state?: ScorerState): QualityScorer {
  const { unit, channels, spoil } = options;
  const root = createRng(`quality-scorer/${options.seed}`);
  const net = state === undefined ? freshNetwork(root.fork('start')) : storedNetwork(state.weights);
  const memory = new Int8Array(PAIRS * 2 * INPUTS);
  if (state !== undefined) memory.set(new Int8Array(bytesOf(state.memory).buffer));
  let windows = state?.windows ?? 0;
  let power = state?.power ?? 0;
  const example = (pair: number, which: 0 | 1) => memory.subarray((2 * pair + which) * INPUTS).subarray(0, INPUTS);

  return {
    score: (measures) => (windows < ENOUGH ? 1 : sigmoid(forward(net, inputsOf(measures)) + Math.log(PRIOR_ODDS))),
    why(measures) {
      const inputs = Float64Array.from(inputsOf(measures));
      const usual = usualInputs(memory, Math.min(windows, PAIRS));
      const without = inputs.map((_, i) => {
        const changed = inputs.slice();
        changed[i] = usual[i] as number;
        return forward(net, changed);
      });
      return (SEEN[without.indexOf(Math.max(...without))] as (typeof SEEN)[number]).measure;
    },
    learn(values, measures) {
      const rng = root.fork(`window/${windows}`);
      power += (Math.exp(measures[MEASURES.variance] as number) - power) / Math.min(windows + 1, PAIRS * FORGETS);
      const sigma = scaleOf(unit) * Math.max(LEAST_SIGMA, Math.sqrt(power));
      const newest = slotFor(windows, rng);
      example(newest, 0).set(inputsOf(measures));
      example(newest, 1).set(inputsOf(measure(spoil(values, channels, sigma, rng), channels, unit)));
      windows++;
      const known = Math.min(windows, PAIRS);
      for (let step = 0; step < STEPS; step++) {
        for (let i = 0; i < BATCH; i++) {
          const pair = i === 0 ? newest : rng.int(known);
          backward(net, example(pair, 0), 1);
          backward(net, example(pair, 1), 0);
        }
        takeStep(net, STEPS * (windows - 1) + step + 1);
      }
    },
    state: () => ({ windows, power, weights: base64(net.stored), memory: base64(memory) }),
  };
}

/** Where the next pair goes: reservoir sampling that forgets slowly. The newest pair is always kept for its own steps. */
function slotFor(windows: number, rng: Rng): number {
  if (windows < PAIRS) return windows;
  const isKept = rng.next() < Math.max(PAIRS / windows, 1 / FORGETS);
  return isKept ? rng.int(PAIRS - 1) : PAIRS - 1;
}

/** `[INPUTS]` mean of the remembered whole windows. */
function usualInputs(memory: Int8Array, pairs: number): Float64Array {
  const sums = new Float64Array(INPUTS);
  for (let pair = 0; pair < pairs; pair++) {
    for (let i = 0; i < INPUTS; i++) sums[i] = (sums[i] as number) + (memory[2 * pair * INPUTS + i] as number) / pairs;
  }
  return sums;
}

interface Network {
  /** `[3, WEIGHTS]`: the three below. */
  readonly stored: Float32Array;
  readonly weights: Float32Array;
  readonly mean: Float32Array;
  readonly square: Float32Array;
  readonly gradient: Float64Array;
  readonly hidden: Float64Array;
}

function networkOver(stored: Float32Array): Network {
  return {
    stored,
    weights: stored.subarray(0, WEIGHTS),
    mean: stored.subarray(WEIGHTS, 2 * WEIGHTS),
    square: stored.subarray(2 * WEIGHTS),
    gradient: new Float64Array(WEIGHTS),
    hidden: new Float64Array(HIDDEN),
  };
}

function freshNetwork(rng: Rng): Network {
  const net = networkOver(new Float32Array(3 * WEIGHTS));
  for (let i = 0; i < AT.bias; i++) net.weights[i] = rng.normal() / Math.sqrt(INPUTS);
  for (let i = AT.out; i < AT.outBias; i++) net.weights[i] = rng.normal() / Math.sqrt(HIDDEN);
  return net;
}

const storedNetwork = (text: string) => networkOver(new Float32Array(bytesOf(text).buffer));

/** `[INPUTS]` of order 32, as they are remembered. */
function inputsOf(measures: Float32Array): Int8Array {
  return Int8Array.from(SEEN, ({ measure: name, center, spread, least = Number.NEGATIVE_INFINITY }) => {
    const input = (Math.max(least, measures[MEASURES[name]] as number) - center) / spread;
    return Math.round(STEPS_OF_INPUT * Math.max(-3.96, Math.min(3.96, input)));
  });
}

/** v·h + c; leaves h in `hidden`. */
function forward({ weights, hidden }: Network, inputs: Int8Array | Float64Array): number {
  let out = weights[AT.outBias] as number;
  for (let j = 0; j < HIDDEN; j++) {
    let sum = 0;
    for (let i = 0; i < INPUTS; i++) sum += (weights[j * INPUTS + i] as number) * (inputs[i] as number);
    const h = Math.tanh((weights[AT.bias + j] as number) + sum / STEPS_OF_INPUT);
    hidden[j] = h;
    out += (weights[AT.out + j] as number) * h;
  }
  return out;
}

/** Adds the gradient of the logistic loss of one example, as its share of a batch. */
function backward(net: Network, inputs: Int8Array, target: 0 | 1): void {
  const { weights, gradient, hidden } = net;
  const error = (sigmoid(forward(net, inputs)) - target) / (2 * BATCH);
  gradient[AT.outBias] = (gradient[AT.outBias] as number) + error;
  for (let j = 0; j < HIDDEN; j++) {
    const h = hidden[j] as number;
    const back = error * (weights[AT.out + j] as number) * (1 - h * h);
    gradient[AT.out + j] = (gradient[AT.out + j] as number) + error * h;
    gradient[AT.bias + j] = (gradient[AT.bias + j] as number) + back;
    for (let i = 0; i < INPUTS; i++) {
      const at = j * INPUTS + i;
      gradient[at] = (gradient[at] as number) + (back * (inputs[i] as number)) / STEPS_OF_INPUT;
    }
  }
}

/** Adam; `step` counts from 1. Clears the gradient. */
function takeStep({ weights, mean, square, gradient }: Network, step: number): void {
  const ofMean = 1 - DECAY_MEAN ** step;
  const ofSquare = 1 - DECAY_SQUARE ** step;
  for (let i = 0; i < WEIGHTS; i++) {
    const g = (gradient[i] as number) + WEIGHT_DECAY * (weights[i] as number);
    mean[i] = DECAY_MEAN * (mean[i] as number) + (1 - DECAY_MEAN) * g;
    square[i] = DECAY_SQUARE * (square[i] as number) + (1 - DECAY_SQUARE) * g * g;
    const size = Math.sqrt((square[i] as number) / ofSquare) + 1e-6;
    weights[i] = (weights[i] as number) - (LEARNING_RATE * (mean[i] as number)) / ofMean / size;
  }
  gradient.fill(0);
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

const base64 = (array: Float32Array | Int8Array) =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');

/** A copy with a buffer of its own. */
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));
