/** Boards that are told few labels and have prototypes and a scale of their own, over MQTT and SQLite and simulated: the same rounds from all windows, the same model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNetworkCache } from '../../core/model/network-cache.ts';
import { runFleet } from '../../scripts/replay/fleet.ts';
import type { ReplayOptions } from '../../scripts/replay/options.ts';
import { simulateFleet } from '../../scripts/replay/simulate.ts';
import { SMALL_FLEET, smallPlan } from '../fixtures/small-fleet.ts';
import { assertClose } from '../golden/close.ts';

const SEED = 7;

test('with pseudo-labels a fleet learns from all of its windows, in processes as in simulation', async () => {
  const networkFor = createNetworkCache();
  const options: ReplayOptions = {
    ...SMALL_FLEET,
    rounds: 4,
    labelled: 0.4,
    settings: {
      ...SMALL_FLEET.settings,
      ...{ pseudoLabels: 0.5, personalPrior: 3, scalePrior: 30, modelBits: 32, prototypeBits: 32 },
    },
  };
  const ignore = () => undefined;
  const real = await runFleet(smallPlan(options), options, SEED, networkFor, ignore);
  const simulated = await simulateFleet(smallPlan(options), options, SEED, networkFor, ignore);
  assert.equal(real.records.length, 1 + smallPlan(options).rounds);
  assert.deepEqual(
    simulated.records.map(({ devices }) => devices),
    real.records.map(({ devices }) => devices),
  );
  const scores = (outcome: typeof real) => outcome.records.map(({ online }) => online?.accuracy ?? 0);
  assertClose(scores(simulated), scores(real), 0.04);
  assertClose(simulated.global.params, real.global.params, 5e-4);
  assert.deepEqual(simulated.global.prototypes.weight, real.global.prototypes.weight);
  const unguessed = { ...options, settings: { ...options.settings, pseudoLabels: 1 } };
  const without = await simulateFleet(smallPlan(unguessed), unguessed, SEED, networkFor, ignore);
  const moved = without.global.params.some(
    (value, i) => Math.abs(value - (simulated.global.params[i] as number)) > 1e-3,
  );
  assert.ok(moved, 'guesses taught something');
});
