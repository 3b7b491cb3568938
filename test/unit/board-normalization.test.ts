/** A board's own input scale: what it is made of, how it meets the fleet's, where it is used, and that a test person gets one too. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roundingOf } from '../../agent/learn/delta.ts';
import { finishTraining, initialCheckpoint, type LabelledWindow, trainingInput } from '../../agent/learn/round-work.ts';
import { makeBatch } from '../../core/model/batch.ts';
import { DEFAULT_SETTINGS, type TrainSettings } from '../../core/model/settings.ts';
import { addToHistory, boardNormalization } from '../../core/qqr/board-normalization.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import { stackerFor } from '../../server/holdout-scale.ts';
import { firstGlobal } from '../../server/next-global.ts';
import { assertClose } from '../golden/close.ts';
import { toySpec } from '../golden/toy.ts';

const FLEET = { mean: [Float32Array.of(0, 10)], std: [Float32Array.of(1, 4)] };

/** One modality, two channels: [1, 3] in one, [20, 20] in the other. */
const WINDOW = { values: [Float32Array.of(1, 20, 3, 20)], quality: [1] };

test('a history is the number, means and mean squares of the windows, whatever the rounds they came in', () => {
  const other = { values: [Float32Array.of(5, 0, 5, 0)], quality: [1] };
  const once = addToHistory(undefined, [WINDOW, other], [2]);
  assertClose(once, [2, 3.5, 10, (5 + 25) / 2, 200], 1e-5);
  assertClose(addToHistory(addToHistory(undefined, [WINDOW], [2]), [other], [2]), once, 1e-5);
});

test('missing and bad windows leave no trace, and a history of another shape is forgotten', () => {
  const missing = { values: [null], quality: [0] };
  const bad = { ...WINDOW, quality: [0.4] };
  assertClose(addToHistory(undefined, [missing, bad], [2]), new Float32Array(5), 0);
  assertClose(addToHistory(new Float32Array(3).fill(9), [WINDOW], [2]), addToHistory(undefined, [WINDOW], [2]), 0);
});

test("the scale goes from the fleet's to the board's own by windows; a channel that does not move keeps a spread above 0", () => {
  const history = addToHistory(undefined, [WINDOW], [2]);
  const half = boardNormalization(FLEET, history, 1);
  assertClose(half.mean[0] as Float32Array, [1, 15], 1e-5);
  assertClose(half.std[0] as Float32Array, [1, Math.sqrt(4 * 1e-3)], 1e-5);
  assertClose(boardNormalization(FLEET, history, 1e6).mean[0] as Float32Array, [0, 10], 1e-4);
  const nothing = boardNormalization(FLEET, new Float32Array(5), 1);
  assert.deepEqual(nothing, FLEET);
});

const spec = toySpec(1);
const [modality] = spec.modalities as [(typeof spec.modalities)[number]];
const SIZE = modality.samples * modality.channels.length;
const fleet = {
  mean: [new Float32Array(modality.channels.length)],
  std: [new Float32Array(modality.channels.length).fill(1)],
};
const GLOBAL = { ...firstGlobal(spec, 1), normalization: fleet };

/** Swings by `spread` around `level`. */
function windowAt(level: number, spread: number, label = 0): LabelledWindow {
  const values = Float32Array.from({ length: SIZE }, (_, i) => {
    return level + (Math.floor(i / modality.channels.length) % 2 === 0 ? spread : -spread);
  });
  return { label: spec.classes[label] as string, values: [values], quality: [1] };
}

function roundOf(windows: readonly LabelledWindow[], settings: Partial<TrainSettings>) {
  const all = { ...DEFAULT_SETTINGS, windowsPerRound: windows.length, ...settings };
  const plan: RoundPlan = { round: 2, kind: 'training', modelVersion: 1, deadlineMs: 0, spec, settings: all };
  const before = initialCheckpoint(GLOBAL);
  const input = trainingInput(windows, plan, GLOBAL, before, 'pi-1');
  const out = {
    params: GLOBAL.params,
    embeddings: [new Float32Array(windows.length * spec.embedding)],
    probabilities: new Float32Array(windows.length * spec.classes.length),
    losses: new Float32Array(5),
  };
  return { input, work: finishTraining(windows, plan, before, input, out, roundingOf('pi-1', 2)) };
}

test('a board trains at its own scale and keeps its history, or at the fleet’s and keeps none', () => {
  const windows = [windowAt(7, 2), windowAt(7, 2, 1)];
  const own = roundOf(windows, { scalePrior: 1e-6 });
  const values = [...(own.input.batch.inputs[0] as Float32Array)];
  assert.ok(values.every((value) => Math.abs(Math.abs(value) - 1) < 1e-3));
  assert.equal(own.work.history?.[0], 2);
  const shared = roundOf(windows, {});
  assert.ok([...(shared.input.batch.inputs[0] as Float32Array)].every((value) => value >= 5 - 1e-5));
  assert.equal(shared.work.history, undefined);
});

test('each test person gets a scale of their own from clean windows, and conditions are seen at that scale', () => {
  const toBatchWindow = ({ values, quality }: LabelledWindow, label: number) => ({ values, quality, label });
  const clean = [windowAt(7, 2), windowAt(-3, 5), windowAt(7, 2)].map(toBatchWindow);
  const faulty = [windowAt(9, 2), windowAt(-3, 5), windowAt(7, 2)].map(toBatchWindow);
  const subjects = ['anna', 'ben', 'anna'];
  const stack = stackerFor({ clean, subjects }, spec, fleet, 1e-6);
  const batch = stack(clean);
  assert.deepEqual([...batch.labels], [0, 2, 1], 'subject by subject');
  assert.ok([...(batch.inputs[0] as Float32Array)].every((value) => Math.abs(Math.abs(value) - 1) < 1e-3));
  const seen = stack(faulty).inputs[0] as Float32Array;
  assertClose([seen[0] as number], [2], 1e-3); // (9 + 2 − 7) / 2
  assert.deepEqual(stackerFor({ clean, subjects }, spec, fleet, 0)(clean), makeBatch(clean, spec, fleet));
});
