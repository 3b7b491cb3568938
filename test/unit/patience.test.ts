/** How long a board waits for a receipt: from TCP's rules, and what they are to bring in a fleet whose aggregator is slow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPatience } from '../../agent/sync/patience.ts';
import { createResendSchedule } from '../../agent/sync/resend-schedule.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';

const RESEND = { baseMs: 5000, capMs: 300_000 };

test('quick receipts leave it at its shortest, slow ones raise it above what they took', () => {
  const patience = createPatience(5000);
  assert.equal(patience.currentMs(), 5000);
  patience.answered(200);
  assert.equal(patience.currentMs(), 5000);
  patience.answered(12_000);
  assert.ok(patience.currentMs() > 12_000, String(patience.currentMs()));
  for (let i = 0; i < 40; i++) patience.answered(14_000 + 500 * (i % 2));
  assert.ok(Math.abs(patience.currentMs() - 15_300) < 300, String(patience.currentMs()));
  for (let i = 0; i < 60; i++) patience.answered(100);
  assert.equal(patience.currentMs(), 5000, 'and it comes back');
});

test('the first delay counts by RFC 6298 §2.2: half of it is the variation', () => {
  const patience = createPatience(1000);
  patience.answered(2000);
  assert.equal(patience.currentMs(), 2000 + 4 * 1000);
  patience.answered(2000);
  assert.equal(patience.currentMs(), 2000 + 4 * 750);
});

test('no wait is longer than a minute', () => {
  const patience = createPatience(5000);
  patience.answered(50_000);
  assert.equal(patience.currentMs(), 60_000);
});

test('a schedule learns from the first answer to the first sending, and from nothing that a broken link has delayed', async () => {
  const clock = createManualClock();
  const schedule = createResendSchedule(clock, () => 0, RESEND);
  const row = (round: number, attempts = 0) => ({ seq: 1, round, attempts, receipt: null, bytes: 10 });
  const send = (round: number) => {
    schedule.dueAtMs(row(round));
    schedule.sent(row(round));
    return schedule.dueAtMs(row(round, 1)) - clock.nowMs();
  };
  assert.equal(send(3), 5000);
  await clock.advance(6000);
  schedule.sent(row(3, 1));
  await clock.advance(1000);
  schedule.answered(row(3)); // 7 s after the first sending, 1 s after the second
  await clock.advance(40_000);
  schedule.answered(row(3)); // the receipt once more
  assert.equal(send(4), 7000 + 4 * 3500);
  schedule.linkUp(undefined);
  await clock.advance(40_000);
  schedule.answered(row(4));
  assert.equal(send(5), 7000 + 4 * 3500);
});
