/** Why a sensor looks bad: from the judge through the board's database and the update to the aggregator. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reasonOf } from '../../agent/learn/modality-quality.ts';
import { WHYS, type Why } from '../../core/qqr/quality.ts';
import { decodeUpdate } from '../../core/wire/decode.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import { reportOf } from '../../server/describe-reports.ts';
import { expectationOf, SAMPLE_SPEC, sampleUpdate } from '../fixtures/sample-update.ts';

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
