/** How a fleet comes to its temperature: what a board reports, how it travels, what the aggregator makes of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roundingOf } from '../../agent/learn/delta.ts';
import { finishTraining, initialCheckpoint, type LabelledWindow, trainingInput } from '../../agent/learn/round-work.ts';
import type { TrainOutput } from '../../core/model/network.ts';
import { DEFAULT_SETTINGS } from '../../core/model/settings.ts';
import { decodeUpdate } from '../../core/wire/decode.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import type { Update } from '../../core/wire/update.ts';
import { firstGlobal, nextGlobal } from '../../server/next-global.ts';
import { createStrategy } from '../../server/strategies/registry.ts';
import { expectationOf, SAMPLE_SPEC, sampleUpdate } from '../fixtures/sample-update.ts';
import { toySpec } from '../golden/toy.ts';

const spec = toySpec(2);
const channels = spec.modalities.map((modality) => modality.channels.length);
const GLOBAL = {
  ...firstGlobal(spec, 1),
  normalization: {
    mean: channels.map((count) => new Float32Array(count)),
    std: channels.map((count) => new Float32Array(count).fill(1)),
  },
};

/** Six windows; `labels` are class indices, −1 for one that the board is not told. */
function reported(labels: readonly number[], temperature: number): Update['online'] {
  const windows = labels.map(
    (label): LabelledWindow => ({
      label: spec.classes[label] ?? '',
      values: spec.modalities.map((modality) => new Float32Array(modality.samples * modality.channels.length)),
      quality: [1, 1],
    }),
  );
  const settings = { ...DEFAULT_SETTINGS, windowsPerRound: windows.length };
  const plan: RoundPlan = { round: 1, kind: 'training', modelVersion: 0, deadlineMs: 0, spec, settings };
  const before = initialCheckpoint(GLOBAL);
  const input = trainingInput(windows, plan, { ...GLOBAL, temperature }, before, 'pi-1');
  const classes = spec.classes.length;
  const out: TrainOutput = {
    params: input.params,
    embeddings: [0, 1].map(() => new Float32Array(windows.length * spec.embedding)),
    probabilities: Float32Array.from({ length: windows.length * classes }, (_, i) => (i % classes === 0 ? 0.8 : 0.1)),
    losses: new Float32Array(1),
  };
  return finishTraining(windows, plan, before, input, out, roundingOf('pi-1', 1)).online;
}

test('a board reports by how much its predictions claimed more than they kept, at the temperature that it was told', () => {
  assert.equal(spec.classes.length, 3);
  assert.equal(reported([0, 1, 2, 0], 1).overconfidence, Math.round(1024 * (4 * 0.8 - 2)));
  const tempered = Math.sqrt(0.8) / (Math.sqrt(0.8) + 2 * Math.sqrt(0.1));
  assert.equal(reported([0, 1, 2, 0], 2).overconfidence, Math.round(1024 * (4 * tempered - 2)));
  const { count, overconfidence } = reported([0, -1, 0, -1], 1);
  assert.deepEqual([count, overconfidence], [2, Math.round(1024 * (2 * 0.8 - 2))]);
});

test('the aggregator follows the mean over all predictions of the round, in any order, and not in the statistics round', () => {
  const global = { ...firstGlobal(SAMPLE_SPEC, 1), temperature: 1.5 };
  const about = (device: string, count: number, overconfidence: number): Update => {
    const update = sampleUpdate();
    return { ...update, device, online: { correct: 0, count, lossSum: 1, overconfidence } };
  };
  const updates = [about('a', 10, 1024), about('b', 6, -512), about('c', 4, 1536)];
  const plr = createStrategy('plr');
  const next = (of: readonly Update[]) => nextGlobal('training', global, of, SAMPLE_SPEC, plr).global.temperature;
  assert.ok(Math.abs(next(updates) - 1.5 * Math.exp((2 * 2) / 20)) < 1e-12);
  assert.equal(next([...updates].reverse()), next(updates));
  assert.equal(next([about('a', 0, 0)]), 1.5);
});

test('the report travels with its sign, in three bytes', () => {
  const saying = (overconfidence: number): Update => {
    const update = sampleUpdate();
    return { ...update, online: { ...update.online, overconfidence } };
  };
  for (const overconfidence of [-2048, 2047]) {
    const payload = encodeUpdate(saying(overconfidence));
    assert.equal(payload.length - encodeUpdate(saying(0)).length, 3);
    const decoded = decodeUpdate(payload, expectationOf(saying(0), SAMPLE_SPEC));
    assert.equal(decoded.ok && decoded.value.online.overconfidence, overconfidence);
  }
});
