/** The test windows of a replay: which conditions there are, and the quality that each window comes with. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import type { WindowModality } from '../../core/stream/align.ts';
import type { Window } from '../../core/stream/window.ts';
import { FAULT_KINDS } from '../../core/trace/faults.ts';
import { testWindows } from '../../scripts/replay/test-windows.ts';

const SAMPLES = 128;
const modalities: WindowModality[] = ['acc', 'gyr'].map((name, m) => {
  return { name, unit: m === 0 ? 'mps2' : 'radps', channels: ['x', 'y', 'z'], sampleRateHz: 50, samples: SAMPLES };
});

/** A sway of each window's own phase with a little noise. */
function swaying(count: number): Window[] {
  const rng = createRng('sway');
  return Array.from({ length: count }, (_, i) => {
    const phase = 2 * Math.PI * rng.next();
    const values = modalities.map((_, m) =>
      Float32Array.from({ length: 3 * SAMPLES }, (_, at) => {
        const sway = Math.sin(phase + (2 * Math.PI * Math.floor(at / 3)) / 50 + (at % 3));
        return (m === 0 && at % 3 === 2 ? 9.81 : 0) + sway + 0.05 * rng.normal();
      }),
    );
    return { index: i, tStartUs: i * 2_560_000, label: i % 2 === 0 ? 'a' : 'b', values, completeness: [1, 1] };
  });
}

function qualities(isJudged: boolean) {
  const acStd = [new Float32Array(3).fill(0.7), new Float32Array(3).fill(0.7)];
  const options = { kinds: FAULT_KINDS, severity: [1, 1] as const, testFaults: ['kinds', 'nothing'] as const };
  const about = { modalities, classes: ['a', 'b'], options, isJudged, acStd, rng: createRng('test') };
  const { clean, degraded } = testWindows(swaying(60), about);
  const mean = (of: typeof clean, m: number) => of.reduce((sum, { quality }) => sum + (quality[m] as number), 0) / 60;
  return { clean, degraded, mean };
}

test('a degraded sensor comes with the low quality that a board would give it, the other with its own', () => {
  const { clean, degraded, mean } = qualities(true);
  for (const m of [0, 1]) assert.ok(mean(clean, m) > 0.85, `clean ${m}: ${mean(clean, m)}`);
  for (const [key, m] of [
    ['acc/stuck', 0],
    ['gyr/noise', 1],
  ] as const) {
    const of = degraded[key] ?? [];
    assert.ok(mean(of, m) < 0.5, `${key}: ${mean(of, m)}`);
    assert.ok(mean(of, 1 - m) > 0.85);
  }
  assert.deepEqual(
    degraded['nothing']?.map(({ quality }) => quality),
    Array.from({ length: 60 }, () => [0, 0]),
  );
});

test('without a judge every sensor that is there is good', () => {
  const { clean, degraded } = qualities(false);
  for (const { quality } of [...clean, ...(degraded['acc/stuck'] ?? [])]) assert.deepEqual(quality, [1, 1]);
  assert.deepEqual(degraded['nothing']?.[0]?.quality, [0, 0]);
  assert.deepEqual(Object.keys(degraded).length, 2 * (1 + FAULT_KINDS.length) + 1);
});
