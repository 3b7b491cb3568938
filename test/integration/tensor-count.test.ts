/** A leak of one tensor a round kills a board within days: 200 rounds of a replay leave the backend as they found it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNetworkCache } from '../../core/model/network-cache.ts';
import { fleetConfig, runFleet } from '../../scripts/replay/fleet.ts';
import type { ReplayOptions } from '../../scripts/replay/options.ts';
import { specFrom } from '../../server/config.ts';
import { SMALL_FLEET, smallPlan } from '../fixtures/small-fleet.ts';
import { SMALL_MOTION } from '../fixtures/synthetic-motion.ts';

const ROUNDS = 200;

test(`the number of tensors is constant over ${ROUNDS} rounds`, async () => {
  const options: ReplayOptions = { ...SMALL_FLEET, rounds: ROUNDS, settings: { windowsPerRound: 2 } };
  const plan = smallPlan(options, { ...SMALL_MOTION, subjects: ['ada', 'di'], secondsPerClass: 240 });
  const networkFor = createNetworkCache();
  const network = await networkFor(specFrom(fleetConfig(plan, options, 1, 'unused')));
  const counts: number[] = [];
  await runFleet(plan, options, 1, networkFor, ({ kind }) => {
    if (kind === 'training') counts.push(network.tensorCount());
  });
  assert.equal(counts.length, ROUNDS);
  assert.deepEqual([...new Set(counts)], [counts[0]]);
});
