/**
 * The prior is made again from the data it claims to be made from, and what it detects is measured, on training subjects only.
 * Skipped where the recordings are not there.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import { median, quantile } from '../../core/math/stats.ts';
import { measureTilt } from '../../core/qqr/measure-tilt.ts';
import { MEASURES, measure } from '../../core/qqr/measures.ts';
import { createQualityReference } from '../../core/qqr/quality.ts';
import { createQualityJudge } from '../../core/qqr/quality-judge.ts';
import { ACTIVITY_LEVELS, activityLevel, PRIORS, RELATIVE_RULES } from '../../core/qqr/quality-prior.ts';
import type { Window } from '../../core/stream/window.ts';
import { openDataSet } from '../../core/trace/data-set.ts';
import { acStdOf, applyFault, FAULT_KINDS, type FaultKind } from '../../core/trace/faults.ts';
import { windowsOf } from '../../core/trace/order.ts';
import type { DataSet } from '../../core/trace/recording.ts';
import { spoilWindow } from '../../core/trace/spoil.ts';
import { dataDirectory } from '../../scripts/data/data-directory.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const HAPT = join(process.env['QQR_SHARED_DATA'] ?? join(ROOT, '..', 'shared', 'data'), 'HAPT-Data-Set.tar.xz');
const hasHapt = existsSync(HAPT);
const hasWatch = existsSync(join(dataDirectory(), 'watch', 'dataset.json'));
const MODALITIES = [
  { name: 'acc', unit: 'mps2', channels: ['x', 'y', 'z'], sampleRateHz: 50, samples: 128 },
  { name: 'gyr', unit: 'radps', channels: ['x', 'y', 'z'], sampleRateHz: 50, samples: 128 },
] as const;

function windowsOfAll({ recordings, publishedTestSubjects }: DataSet): Window[] {
  const training = recordings.filter(({ subject }) => !publishedTestSubjects?.includes(subject));
  return training.flatMap((recording) =>
    windowsOf(recording, { wanted: MODALITIES, windowSeconds: 2.56, overlap: 0.5 }),
  );
}

const valuesOf = (windows: readonly Window[], m: number) => windows.flatMap(({ values }) => values[m] ?? []);

/** With the tilt, whoever is to answer for it. */
function measuredOf({ values }: Window, m: number, unit: string): Float32Array {
  const measures = measure(values[m] as Float32Array, 3, unit);
  const [acc, gyr] = MODALITIES.map(({ sampleRateHz }, i) => ({ values: values[i] as Float32Array, sampleRateHz }));
  if (acc && gyr) measures[MEASURES.tilt] = measureTilt(acc, gyr);
  return measures;
}

/** Area under the ROC curve: how often a faulty window scores below a healthy one, ties counting half. */
function areaUnderCurve(faulty: readonly number[], healthy: readonly number[]): number {
  const sorted = Float64Array.from(healthy).sort();
  const below = (limit: number, orEqual: boolean) => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const value = sorted[middle] as number;
      if (value < limit || (orEqual && value === limit)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  let wins = 0;
  for (const quality of faulty) wins += sorted.length - (below(quality, false) + below(quality, true)) / 2;
  return wins / (faulty.length * sorted.length);
}

describe('on HAPT', { skip: hasHapt ? false : `no shared data: ${HAPT} is not there` }, () => {
  let hapt: DataSet;
  let windows: Window[];
  before(async () => {
    hapt = await openDataSet(HAPT, dataDirectory());
    windows = windowsOfAll(hapt);
  });

  test('the prior is what its data say', {
    skip: hasWatch ? false : 'the watch set is not fetched: qqr data fetch watch',
  }, async () => {
    const watch = windowsOfAll(await openDataSet('watch', dataDirectory()));
    assert.deepEqual([windows.length, watch.length], [10_540, 3_605]);
    MODALITIES.forEach(({ unit }, m) => {
      const pool = [...windows, ...watch, ...watch, ...watch].map((window) => measuredOf(window, m, unit));
      for (const rule of RELATIVE_RULES) {
        const usual = Array.from({ length: ACTIVITY_LEVELS }, (_, level) => {
          const of = pool
            .filter((measures) => activityLevel(rule, measures[MEASURES[rule.given]] as number) === level)
            .map((measures) => measures[MEASURES[rule.measure]] as number);
          const center = median(of);
          return [center, (quantile(of, 0.99) - center) / 2.326].map((value) => Math.round(100 * value) / 100 + 0);
        });
        assert.deepEqual(usual, PRIORS[unit]?.[rule.measure], `${unit} ${rule.measure}`);
      }
    });
  });

  /** Least area under the curve. A sensor that hardly moves is not changed by clipping, so half of the clipped windows are healthy. */
  const LEAST: Readonly<Record<FaultKind, number>> = {
    noise: 0.98,
    clip: 0.68,
    stuck: 0.999,
    drift: 0.96,
    burst: 0.999,
  };

  test('faults of severity 0.4 to 1 are told from healthy windows, and healthy windows are left alone', (t) => {
    const basic = windows.filter(({ label }) => label !== null && hapt.classes.includes(label));
    const acStd = acStdOf(basic, [3, 3]);
    MODALITIES.forEach(({ name, unit, sampleRateHz }, m) => {
      const rng = createRng(`faults/${name}`);
      const sample = rng.shuffled(valuesOf(basic, m)).slice(0, 1500);
      const { score } = createQualityReference({ unit, sampleRateHz });
      const quality = (of: readonly Float32Array[]) => of.map((values) => score(measure(values, 3, unit), 1).quality);
      const healthy = quality(sample);
      assert.ok(healthy.filter((value) => value < 0.5).length <= 0.01 * healthy.length);
      for (const kind of FAULT_KINDS) {
        const fault = () => ({ kind, severity: 0.4 + 0.6 * rng.next() });
        const area = areaUnderCurve(
          quality(sample.map((values) => applyFault(values, 3, fault(), acStd[m] as Float32Array, rng))),
          healthy,
        );
        t.diagnostic(`${name} ${kind}: area under the curve ${area.toFixed(3)}`);
        assert.ok(area >= LEAST[kind], `${name} ${kind}: ${area}`);
      }
    });
  });

  test('a board that teaches itself leaves its healthy windows alone, finds drift, and blames the right sensor', () => {
    const acStd = acStdOf(windows, [3, 3]);
    const stream = windows.slice(0, 600);
    const judge = createQualityJudge({ modalities: MODALITIES, scorer: { spoil: spoilWindow, seed: 'golden' } });
    const healthy = stream.map((window) => judge.judge(window).quality);
    for (const m of [0, 1]) assert.ok(healthy.filter((quality) => (quality[m] as number) < 0.5).length <= 0.02 * 600);
    const rng = createRng('golden/drift');
    for (const m of [0, 1]) {
      const judged = stream.map(({ values, completeness }) => {
        const fault = { kind: 'drift', severity: 0.4 + 0.6 * rng.next() } as const;
        const drifted = applyFault(values[m] as Float32Array, 3, fault, acStd[m] as Float32Array, rng);
        return judge.score({ values: values.map((of, other) => (other === m ? drifted : of)), completeness });
      });
      const found = judged.filter(({ quality }) => (quality[m] as number) < 0.5).length;
      const wronged = judged.filter(({ quality }) => (quality[1 - m] as number) < 0.5).length;
      assert.ok(found >= 0.75 * 600 && wronged <= 0.08 * 600, `${m}: ${found} found, ${wronged} wronged`);
    }
  });
});
