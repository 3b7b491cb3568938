/** What the dashboard says in words, and the pure mathematics of its prototype map. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import {
  boardAfter,
  boardInRound,
  type FleetNow,
  fleetAfter,
  HISTORY,
  roundsAfter,
} from '../../server/dashboard/apply-event.ts';
import { distance, principalAxes } from '../../server/dashboard/principal-axes.ts';
import { roundStanding } from '../../server/dashboard/round-standing.ts';
import { byTrouble, troublesOf } from '../../server/dashboard/trouble.ts';
import type { BoardLine, ModalityLine } from '../../server/http/board-list.ts';

const WELL: ModalityLine = { modality: 'acc', windowsPresent: 9, quality: 0.95, why: null, badRounds: 0, history: [] };

function board(change: Partial<BoardLine> = {}, gyroscope: Partial<ModalityLine> = {}): BoardLine {
  return {
    ...{ device: 'pi-7', state: 'online', lastSeenMs: 0, lastRound: 20, isAsked: true, hasAnswered: true },
    ...{ counted: 20, bytes: 1000, windows: 9, backlog: 3, accuracy: 0.9, missing: [], refused: {} },
    modalities: [WELL, { ...WELL, modality: 'gyr', ...gyroscope }],
    ...change,
  };
}

const told = (line: BoardLine, lastRound = 20) =>
  troublesOf(line, 30, lastRound, 300_000).map(({ severity, text }) => `${severity} ${text}`);

test('a sensor in trouble is named with its reason and since when', () => {
  assert.deepEqual(told(board()), []);
  assert.deepEqual(told(board({}, { quality: 0.1, why: 'held', badRounds: 12 })), ['3 gyroscope stuck for 12 rounds']);
  assert.deepEqual(told(board({}, { quality: 0.1, why: 'clip', badRounds: 1 })), ['1 gyroscope clipping for 1 round']);
  assert.deepEqual(told(board({}, { quality: 0.1, why: null, badRounds: 30 })), [
    '3 gyroscope poor for 30 rounds or more',
  ]);
  const absent = { windowsPresent: 0, quality: null, badRounds: 4 };
  assert.deepEqual(told(board({ missing: ['gyr'] }, absent)), ['3 gyroscope missing for 4 rounds'], 'once, not twice');
  assert.deepEqual(
    told(board({ missing: ['gyr'], modalities: [] })),
    ['3 gyroscope missing'],
    'before its first update',
  );
});

test('boards that are away, silent or refused are told of, the worst first', () => {
  assert.deepEqual(told(board({ state: 'offline' })), ['2 offline, last heard 5 min ago']);
  assert.deepEqual(told(board({ lastRound: 17 })), ['2 not counted for 3 rounds']);
  assert.deepEqual(told(board({ lastRound: 18 })), []);
  assert.deepEqual(told(board({ refused: { late: 2 } })), ['1 2 updates refused: late']);
  const all = troublesOf(board({ refused: { late: 1 }, state: 'offline' }, { quality: 0, badRounds: 3 }), 30, 20, 0);
  assert.deepEqual(
    all.sort(byTrouble).map(({ severity }) => severity),
    [3, 2, 1],
  );
});

test('an update that was read already is not counted again', () => {
  const fleet = {
    spec: {
      classes: [],
      modalities: [
        { name: 'acc', unit: 'mps2' },
        { name: 'gyr', unit: 'radps' },
      ],
    },
  };
  const now = { fleet: { ...fleet, round: null }, rounds: [19, 20], openRound: 20 } as unknown as FleetNow;
  const bad = { windowsPresent: 9, quality: 0.1, why: 'held' };
  const said = (round: number) => ({
    atMs: 5,
    round,
    bytes: 100,
    windows: 9,
    backlog: 0,
    accuracy: 1,
    modalities: [WELL, bad],
  });
  const again = boardAfter(board(), 'pi-7', 'update-counted', said(20), now);
  assert.deepEqual([again?.bytes, again?.counted, again?.modalities[1]?.badRounds], [1000, 20, 0]);
  const next = roundsAfter(now, 21);
  assert.deepEqual(next.rounds, [19, 20, 21]);
  const waiting = boardInRound(board({}, { history: [0.9, 0.9] }), true);
  assert.equal(waiting.hasAnswered, false);
  const after = boardAfter(waiting, 'pi-7', 'update-counted', said(21), next);
  assert.deepEqual([after?.bytes, after?.counted, after?.lastRound], [1100, 21, 21]);
  assert.deepEqual(after?.modalities[1]?.history, [0.9, 0.9, 0.1]);
  assert.equal(after?.modalities[1]?.badRounds, 1);
  assert.equal(boardAfter(after ?? undefined, 'pi-7', 'board-forgotten', {}, next), null);
  assert.equal(fleetAfter(next, 'nothing-known', {}), next);
  assert.ok(Array.from({ length: 99 }, (_, i) => i + 22).reduce(roundsAfter, next).rounds.length === HISTORY);
});

test('the map keeps the distances of points that lie in a plane, and turns neither by order nor by start', () => {
  const rng = createRng('axes');
  const [u, v] = [
    [0.6, 0, 0.8, 0],
    [0, 1, 0, 0],
  ] as const;
  const plane = Array.from({ length: 7 }, () => [3 * rng.next(), rng.next()] as const);
  const points = plane.map(([a, b]) => u.map((value, d) => 5 + a * value + b * (v[d] ?? 0)));
  const { places, explained } = principalAxes(points);
  assert.ok(Math.abs(explained[0] + explained[1] - 1) < 1e-9, `${explained}`);
  assert.ok(explained[0] > explained[1]);
  for (const [i, point] of points.entries())
    for (const [j, other] of points.entries())
      assert.ok(Math.abs(distance(point, other) - distance(places[i] ?? [], places[j] ?? [])) < 1e-6);
  const reversed = principalAxes([...points].reverse()).places.toReversed();
  for (const [i, place] of places.entries()) assert.ok(distance(place, reversed[i] ?? []) < 1e-6);
  assert.deepEqual(principalAxes([]).places, []);
  assert.deepEqual(principalAxes([[1, 2]]), { places: [[0, 0]], explained: [0, 0] });
});

test('a board is said to be asked or not only while a round is open', () => {
  const round = { round: 21, kind: 'training', openedMs: 0, deadlineMs: 0, asked: 1, counted: 0 };
  const [answered, waiting, left] = [
    board(),
    board({ hasAnswered: false }),
    board({ hasAnswered: false, isAsked: false }),
  ];
  const open = { round, isPaused: true }; // a pause lets the open one go on
  assert.equal(roundStanding(answered, open), 'last counted in round 20; has answered in the open one');
  assert.equal(roundStanding(waiting, open), 'last counted in round 20; is waited for in the open one');
  assert.equal(roundStanding(left, open), 'last counted in round 20; is not asked in the open one');
  for (const one of [answered, waiting, left]) {
    assert.equal(roundStanding(one, { round: null, isPaused: true }), 'last counted in round 20; rounds are paused');
    assert.equal(roundStanding(one, { round: null, isPaused: false }), 'last counted in round 20');
  }
  assert.equal(
    roundStanding(board({ lastRound: null }), { round: null, isPaused: true }),
    'never counted; rounds are paused',
  );
});
