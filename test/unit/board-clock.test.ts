import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bootOffset, openBoardClock } from '../../agent/sensors/board-clock.ts';

test('the first start ever counts from the boot', () => {
  assert.deepEqual(bootOffset('a', 5_000_000, null, null), { bootId: 'a', offsetUs: 0 });
});

test('a restart in the same boot goes on with the same offset, so the pause stays as long as it was', () => {
  const kept = { bootId: 'a', offsetUs: 77 };
  assert.equal(bootOffset('a', 9_000_000, kept, 5_000_000), kept);
});

test('after a reboot time goes on later than anything stored, with a hole that no window spans', () => {
  const kept = { bootId: 'a', offsetUs: 1000 };
  const { bootId, offsetUs } = bootOffset('b', 3_000_000, kept, 900_000_000);
  assert.equal(bootId, 'b');
  assert.equal(3_000_000 + offsetUs, 910_000_000);
});

test('a boot whose clock happens to be just past what another stored leaves the same hole', () => {
  const kept = { bootId: 'a', offsetUs: 0 };
  const { offsetUs } = bootOffset('b', 900_000_500, kept, 900_000_000);
  assert.equal(900_000_500 + offsetUs, 910_000_000);
});

test('a machine that was set back in the same boot does not go back in stream time', () => {
  const { offsetUs } = bootOffset('a', 1_000_000, { bootId: 'a', offsetUs: 0 }, 50_000_000);
  assert.ok(1_000_000 + offsetUs > 50_000_000);
});

test('over many restarts and reboots stream time never goes back', () => {
  let kept = null as ReturnType<typeof bootOffset> | null;
  let lastStoredUs: number | null = null;
  let monotonicUs = 0;
  for (let start = 0; start < 200; start++) {
    const boot = Math.floor(start / 3);
    monotonicUs = start % 3 === 0 ? 1_000_000 + start : monotonicUs + 30_000_000;
    const offset = bootOffset(`boot ${boot}`, monotonicUs, kept, lastStoredUs);
    const nowUs = monotonicUs + offset.offsetUs;
    assert.ok(lastStoredUs === null || nowUs > lastStoredUs, `start ${start}`);
    // One start in four is killed before anything is stored, the offset included.
    if (start % 4 !== 3) [kept, lastStoredUs] = [offset, nowUs + 20_000_000];
  }
});

test('reads the boot id, and what it stored once it understands again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'qqr-boot-'));
  try {
    const file = join(folder, 'boot_id');
    await writeFile(file, 'one\n');
    const first = await openBoardClock(null, null, file);
    const again = await openBoardClock(first.state, first.nowUs(), file);
    assert.ok(Math.abs(again.nowUs() - first.nowUs()) < 1_000_000);
    assert.ok(Number.isInteger(first.nowUs()));
    await writeFile(file, 'two\n');
    const later = first.nowUs() + 1e12;
    assert.ok((await openBoardClock(first.state, later, file)).nowUs() > later);
    assert.ok((await openBoardClock(new TextEncoder().encode('no JSON'), later, file)).nowUs() > later);
    await assert.rejects(openBoardClock(null, null, join(folder, 'none')), { code: 'dependency-missing' });
  } finally {
    await rm(folder, { recursive: true });
  }
});
