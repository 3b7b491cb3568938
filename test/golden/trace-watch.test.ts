/** The fetched watch data set against what its authors and an independent reading of its arrays say of it. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDataSet } from '../../core/trace/data-set.ts';
import { dataDirectory } from '../../scripts/data/data-directory.ts';

test('140 series of 10 subjects, 244,102 samples, acceleration near 1 g', async (t) => {
  const directory = dataDirectory();
  if (!existsSync(join(directory, 'watch', 'dataset.json'))) return t.skip('not fetched: qqr data fetch watch');
  const { classes, recordings } = await openDataSet('watch', directory);
  assert.deepEqual(classes, ['PEN', 'ABD', 'FEL', 'IR', 'ER', 'TRAP', 'ROW']);
  assert.deepEqual(
    recordings.map(({ subject }) => subject),
    ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10'],
  );
  let samples = 0;
  let series = 0;
  for (const { modalities, labels } of recordings) {
    const [acc, gyr] = modalities;
    assert.ok(acc !== undefined && gyr !== undefined);
    assert.deepEqual([acc.unit, gyr.unit, acc.sampleRateHz, gyr.sampleRateHz], ['mps2', 'radps', 50, 50]);
    assert.deepEqual(acc.tUs, gyr.tUs);
    assert.deepEqual(new Set(labels.map(({ label }) => label)), new Set(classes));
    samples += acc.tUs.length;
    series += 1 + acc.tUs.filter((tUs, i) => i > 0 && tUs - (acc.tUs[i - 1] ?? 0) > 20_000).length;
    // Some swing their arms fast, which pulls several g: the median stays near one.
    const acceleration = medianNorm(acc.values);
    assert.ok(acceleration > 9.3 && acceleration < 13, `median |acceleration| ${acceleration} m/s²`);
    const turning = medianNorm(gyr.values);
    assert.ok(turning > 0.3 && turning < 5, `median |angular rate| ${turning} rad/s: degrees would be tens`);
  }
  assert.deepEqual([samples, series], [244_102, 140]);
});

function medianNorm(values: Float32Array): number {
  const norms = Float64Array.from({ length: values.length / 3 }, (_, i) =>
    Math.hypot(...values.subarray(i * 3, i * 3 + 3)),
  );
  return norms.sort()[norms.length >> 1] ?? 0;
}
