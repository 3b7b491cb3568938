/** Why a sensor looks bad: from the judge through the board's database and the update to the aggregator. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reasonOf } from '../../agent/learn/modality-quality.ts';
import { openAgentStore } from '../../agent/store/agent-store.ts';
import { createJudge } from '../../agent/stream/judge.ts';
import { WHYS, type Why } from '../../core/qqr/quality.ts';
import { decodeUpdate } from '../../core/wire/decode.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import { reportOf } from '../../server/describe-reports.ts';
import { expectationOf, SAMPLE_SPEC, sampleUpdate } from '../fixtures/sample-update.ts';
import { measuredWindow, secondOfMotion, temporaryPath } from '../fixtures/stored-motion.ts';

const window = (quality: number, why: Why | null, isThere = true) => {
  return { values: [isThere ? Float32Array.of(1) : null], quality: [quality], why: [why] };
};

test('the reason that took most quality away is told, of windows below 0.8 that had the modality', () => {
  assert.equal(reasonOf([window(1, null), window(0.81, 'noise')], 0), null);
  assert.equal(reasonOf([window(0.7, 'noise'), window(0.1, 'held')], 0), 'held');
  assert.equal(
    reasonOf([window(0.5, 'noise'), window(0.5, 'noise'), window(0.3, 'held')], 0),
    'noise',
    'together 1 against 0.7',
  );
  assert.equal(reasonOf([window(0, 'completeness', false), window(0.79, 'jump')], 0), 'jump');
  assert.equal(reasonOf([], 0), null);
});

test('every reason survives the wire, and no other is taken', () => {
  const full = sampleUpdate();
  const withWhy = (why: Why | null) => ({ ...full, modalities: full.modalities.map((report) => ({ ...report, why })) });
  for (const why of [...WHYS, null]) {
    const update = withWhy(why);
    const decoded = decodeUpdate(encodeUpdate(update), expectationOf(update, SAMPLE_SPEC));
    assert.deepEqual(decoded, { ok: true, value: update });
    assert.deepEqual(
      reportOf(update, 5).modalities.map((one) => one.why),
      [why, why],
    );
  }
  const made = decodeUpdate(encodeUpdate(withWhy('<b>' as Why)), expectationOf(full, SAMPLE_SPEC));
  assert.equal(made.ok ? null : made.reason, 'malformed');
});

test('a stuck gyroscope is named by the judge and is stored with its window', (t) => {
  const { modalities } = SAMPLE_SPEC;
  const judge = createJudge(modalities, null);
  const still = (m: number) => Float32Array.from({ length: 128 * 3 }, (_, i) => (m === 0 && i % 3 === 2 ? 9.81 : 0.01));
  const moving = Float32Array.from({ length: 128 * 3 }, (_, i) => Math.sin(i) + (i % 3 === 2 ? 9.81 : 0));
  const stuck = { index: 5, tStartUs: 0, label: 'walk', values: [moving, still(1)], completeness: [1, 1] };
  const judged = judge.judged(stuck);
  assert.equal(judged.why?.[1], 'held');
  assert.ok((judged.quality[1] as number) < 0.1);
  const store = openAgentStore(temporaryPath(t));
  t.after(() => store.close());
  store.ingest(secondOfMotion(0, [measuredWindow(0), judged]));
  const [untold, told] = store.nextWindows({ afterIndex: -1, classes: ['walk', 'sit'], limit: 2 });
  assert.deepEqual(told?.why, judged.why);
  assert.equal(untold?.why, undefined, 'of a window that an earlier version stored, nobody knows');
});
