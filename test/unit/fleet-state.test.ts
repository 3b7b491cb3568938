/** The averaged parameters: first model whole, then β of the old and 1 − β of the new; β = 0 is the last model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyPrototypes } from '../../core/qqr/prototype.ts';
import { averagedParams, type FleetState } from '../../server/fleet-state.ts';

function state(version: number, averaged: readonly number[]): FleetState {
  const params = Float32Array.from(averaged);
  const prototypes = emptyPrototypes(1, 2, 1);
  return { version, params, averaged: params, moments: null, prototypes, temperature: 1, normalization: null };
}

test('the first trained model is taken whole, not mixed with the random start', () => {
  assert.deepEqual([...averagedParams(state(0, [5, 5]), Float32Array.of(1, 2), 0.75)], [1, 2]);
});

test('later models move the average by 1 − β, and leave the old one untouched', () => {
  const before = state(3, [4, 8]);
  assert.deepEqual([...averagedParams(before, Float32Array.of(0, 0), 0.75)], [3, 6]);
  assert.deepEqual([...averagedParams(before, Float32Array.of(1, 2), 0)], [1, 2]);
  assert.deepEqual([...before.averaged], [4, 8]);
});
