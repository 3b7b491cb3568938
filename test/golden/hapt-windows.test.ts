/**
 * The whole way from the published archive to windows reproduces the published data set: 10,929 windows, each of 12 classes for
 * each of 30 subjects as counted by its authors (window 128 samples, hop 64, a segment of L samples gives ⌊(L − 128)/64⌋ + 1).
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createWindower } from '../../core/stream/windower.ts';
import { readHapt } from '../../core/trace/hapt.ts';
import { eventsOf } from '../../core/trace/recording-events.ts';

const DATA = process.env['QQR_SHARED_DATA'] ?? join(process.cwd(), '../shared/data');
const ARCHIVE = join(DATA, 'HAPT-Data-Set.tar.xz');
const COUNTS = join(DATA, 'hapt-window-counts.json');

test('windows of HAPT per subject and class are those of the published data set', { timeout: 120_000 }, async (t) => {
  if (!existsSync(ARCHIVE) || !existsSync(COUNTS)) return t.skip(`no shared data: no HAPT archive in ${DATA}`);
  const { rebuilt, columns } = JSON.parse(readFileSync(COUNTS, 'utf8')) as {
    rebuilt: Record<string, number[]>;
    columns: string[];
  };
  const { recordings, classes } = await readHapt(ARCHIVE);
  assert.equal(recordings.length, 61);
  assert.deepEqual(classes, columns.slice(0, 6));

  const counts: Record<string, number[]> = {};
  for (const recording of recordings) {
    const ofSubject = counts[recording.subject] ?? columns.map(() => 0);
    counts[recording.subject] = ofSubject;
    const wanted = recording.modalities.map(({ name, unit, channels, sampleRateHz }) => ({
      name,
      unit,
      channels,
      sampleRateHz,
      samples: 128,
    }));
    const windower = createWindower(
      { modalities: recording.modalities, wanted, windowSeconds: 2.56, overlap: 0.5 },
      (window) => {
        if (window.label === null) return;
        assert.ok(window.values.every((values) => values?.length === 128 * 3));
        const column = columns.indexOf(window.label);
        ofSubject[column] = (ofSubject[column] ?? 0) + 1;
      },
    );
    for (const event of eventsOf(recording)) windower.push(event);
    windower.end();
  }
  assert.deepEqual(counts, rebuilt);
  assert.equal(
    Object.values(counts)
      .flat()
      .reduce((sum, count) => sum + count, 0),
    10_929,
  );
});
