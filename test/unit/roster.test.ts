/** Who is asked: what boards said, what they let pass, and what an operator has them forgotten of. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeviceStatus } from '../../core/wire/downlink.ts';
import { createRoster } from '../../server/roster.ts';

const says = (device: string, state: DeviceStatus['state']): DeviceStatus => ({ device, state, modalities: ['acc'] });

test('those who let a deadline pass are not asked until they are heard of, unless nobody else is left', () => {
  const roster = createRoster([], []);
  for (const device of ['b', 'a', 'c']) roster.heard(says(device, 'online'), false);
  roster.missed(['a', 'b']);
  assert.deepEqual([roster.available(), roster.availableCount(), roster.silentCount()], [['c'], 1, 2]);
  roster.sawSign('b');
  assert.deepEqual(roster.available(), ['b', 'c']);
  roster.missed(['b', 'c']);
  assert.deepEqual([roster.available(), roster.availableCount(), roster.silentCount()], [['a', 'b', 'c'], 3, 0]);
});

test('a board that has ended or finished is counted once among the ended, and comes back with an update that has not', () => {
  const roster = createRoster(['a'], ['a']);
  roster.heard(says('a', 'finished'), false);
  roster.heard(says('b', 'online'), false);
  assert.deepEqual([roster.endedCount(), roster.hasEveryKnownEnded()], [1, false]);
  roster.counted('b', true);
  assert.deepEqual([roster.endedCount(), roster.hasEveryKnownEnded(), roster.available()], [2, true, []]);
  roster.counted('b', false);
  assert.deepEqual([roster.endedCount(), roster.available()], [1, ['b']]);
});

test('a forgotten board is as if it had never been heard of, and is there again as soon as it says something', () => {
  const roster = createRoster(['a'], ['a']);
  roster.heard(says('a', 'online'), false);
  roster.heard(says('b', 'online'), false);
  roster.missed(['b']);
  roster.forget('a');
  roster.forget('b');
  assert.deepEqual([roster.hasEnded('a'), roster.endedCount(), roster.available()], [false, 0, []]);
  for (const device of ['a', 'b']) roster.heard(says(device, 'online'), false);
  assert.deepEqual([roster.available(), roster.silentCount()], [['a', 'b'], 0]);
});

test('a status that the broker repeats is no sign of life, one that says something new is', () => {
  const roster = createRoster([], []);
  for (const device of ['a', 'b', 'c']) roster.heard(says(device, 'online'), false);
  roster.missed(['a', 'b']);
  roster.heard(says('a', 'online'), true);
  assert.deepEqual(roster.available(), ['c']);
  roster.heard(says('b', 'offline'), true);
  roster.heard(says('b', 'online'), true);
  assert.deepEqual(roster.available(), ['b', 'c']);
  roster.heard(says('a', 'online'), false);
  assert.deepEqual(roster.available(), ['a', 'b', 'c']);
});

test('a board that was counted before the start may come back until it has ended or is forgotten', () => {
  const roster = createRoster(['a', 'b'], ['a']);
  assert.deepEqual([roster.hasEveryKnownEnded(), roster.endedCount()], [false, 1]);
  roster.forget('b');
  roster.missed(['b']);
  assert.equal(roster.hasEveryKnownEnded(), true);
});
