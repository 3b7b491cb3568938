/** Who is listened to: so much a minute, and a bounded number of names whatever floods in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createGate } from '../../server/gate.ts';
import { createKnownBoards } from '../../server/known-boards.ts';
import { createRefusalTally } from '../../server/refusal-tally.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';

function setUp(options: { maxBoards?: number; updatesPerMinute?: number; proven?: string[]; left?: string[] } = {}) {
  const { maxBoards = 4, updatesPerMinute = 0, proven = [], left = [] } = options;
  const clock = createManualClock();
  const forgotten: string[] = [];
  const boards = createKnownBoards({
    clock,
    maxBoards,
    updatesPerMinute,
    proven,
    hasLeft: (device) => left.includes(device),
    onForgotten: (device) => forgotten.push(device),
  });
  return { clock, forgotten, boards };
}

test('a minute’s updates in a burst, then as time gives them, and other boards are not held up', async () => {
  const { clock, boards } = setUp({ updatesPerMinute: 6 });
  const burst = Array.from({ length: 8 }, () => boards.admit('a'));
  assert.deepEqual(burst, [...Array(6).fill('welcome'), 'rate-limited', 'rate-limited']);
  assert.equal(boards.admit('b'), 'welcome');
  await clock.advance(9_000);
  assert.equal(boards.admit('a'), 'rate-limited');
  await clock.advance(1_000);
  assert.equal(boards.admit('a'), 'welcome');
  assert.equal(boards.admit('a'), 'rate-limited');
  await clock.advance(3_600_000);
  assert.equal(Array.from({ length: 8 }, () => boards.admit('a')).filter((one) => one === 'welcome').length, 6);
});

test('a flood of names forgets its own, never a board that has delivered', () => {
  const { boards, forgotten } = setUp({ proven: ['old'] });
  boards.admit('new');
  boards.proved('new');
  for (let i = 0; i < 1000; i++) assert.equal(boards.admit(`name-${i}`), 'welcome');
  assert.equal(boards.count(), 4);
  assert.equal(forgotten.length, 998);
  assert.ok(!forgotten.includes('old') && !forgotten.includes('new'));
});

test('the stranger longest not heard of goes first', () => {
  const { boards, forgotten } = setUp({ maxBoards: 3 });
  for (const name of ['a', 'b', 'c', 'a', 'd']) boards.remember(name);
  assert.deepEqual(forgotten, ['b']);
});

test('where all have delivered, one that has left makes room, and else the new one is turned away', () => {
  const left = ['b'];
  const { boards, forgotten } = setUp({ maxBoards: 3, proven: ['a', 'b', 'c'], left });
  assert.equal(boards.admit('d'), 'welcome');
  assert.deepEqual(forgotten, ['b']);
  boards.proved('d');
  left.pop();
  assert.equal(boards.admit('e'), 'too-many-boards');
  assert.equal(boards.remember('e'), false);
  assert.equal(boards.admit('a'), 'welcome');
});

test('what is turned away is written once, then by the thousand and at the end; strangers without a place together', () => {
  const writes: [string, string, number][] = [];
  const tally = createRefusalTally({
    reject: (reason, device, count = 1) => void writes.push([reason, device, count]),
  });
  const heard: string[] = [];
  const { boards } = setUp({ maxBoards: 1, updatesPerMinute: 1, proven: ['a'] });
  const gate = createGate({ boards, tally, onHeard: (device) => heard.push(device) });
  for (let i = 0; i < 2502; i++) gate.admits('a');
  gate.admits('x');
  gate.admits('y');
  assert.deepEqual(heard, ['a']);
  gate.flush();
  gate.flush();
  const sum = (reason: string) => writes.filter(([of]) => of === reason).reduce((total, [, , n]) => total + n, 0);
  assert.equal(sum('rate-limited'), 2501);
  assert.equal(sum('too-many-boards'), 2);
  assert.ok(writes.every(([reason, device]) => device === (reason === 'rate-limited' ? 'a' : '')));
  assert.equal(writes.length, 6);
});
