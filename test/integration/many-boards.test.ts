/**
 * Sixty boards with their own databases and links against `qqr server run`, a third of them killed in every round at a point that the
 * seed draws: rounds close on time, and no update is lost, counted twice, or told otherwise than it was counted. The same with a
 * thousand is `scripts/bench/thousand-boards.ts`.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runFleet } from '../../scripts/bench/fleet-run.ts';

const BOARDS = 60;
const ROUNDS = 4;
const DEADLINE_MS = 2000;
/** A machine that does much else at the same time. */
const LATEST_MS = 20_000;

test('boards that are killed at any point of a round hold nobody up, and every update is counted once', {
  timeout: 240_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-many-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const seed = Number(process.env['QQR_TEST_SEED'] ?? 6);
  const { rounds, tally, books, log } = await runFleet({
    ...{ folder, seed, boards: BOARDS, rounds: ROUNDS, killed: 0.3, online: 40, broker: 'embedded' },
    ...{ quorum: 1, deadlineMs: DEADLINE_MS, trainMs: 300, awayMs: DEADLINE_MS, durability: 'full' },
    resend: { baseMs: 500, capMs: 4000 },
    model: { conv: [{ filters: 2, kernel: 9, stride: 8 }], embedding: 4, hidden: 3 },
  });
  const kills = Object.values(tally.kills).reduce((sum, count) => sum + count, 0);
  t.diagnostic(`seed ${seed}, kills ${JSON.stringify(tally.kills)}, ${JSON.stringify(books)}`);
  assert.deepEqual(books.faults, []);
  assert.deepEqual(tally.failures, []);
  assert.equal(rounds.length, ROUNDS + 1);
  assert.ok(kills >= ROUNDS, `${kills} kills`);
  assert.ok(books.counted >= BOARDS / 2, `${books.counted} counted`);
  for (const { record } of rounds) {
    assert.ok(record.durationMs < DEADLINE_MS + LATEST_MS, `round ${record.round} takes ${record.durationMs} ms`);
  }
  const sends = [...tally.sends].reduce((sum, [times, updates]) => sum + times * updates, 0);
  const settled = [...tally.sends].reduce((sum, [, updates]) => sum + updates, 0);
  assert.ok(sends < 2 * settled, `${sends} sends of ${settled} updates`);
  assert.deepEqual(
    Object.keys(books.rejected).filter((reason) => reason !== 'late'),
    [],
  );
  assert.deepEqual(
    [...log.keys()].filter((line) => line.startsWith('error') || line.startsWith('50')),
    [],
  );
});
