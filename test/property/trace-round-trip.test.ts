/** Any recording survives its trace file bit for bit, and a file read as a stream gives what its recording plays. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { StreamEvent } from '../../core/stream/event.ts';
import { openTrace, readRecording } from '../../core/trace/csv-reader.ts';
import { writeRecording } from '../../core/trace/csv-writer.ts';
import type { RecordedModality, Recording } from '../../core/trace/recording.ts';
import { eventsOf } from '../../core/trace/recording-events.ts';
import { temporaryFolder } from '../fixtures/trace-folder.ts';

const label = fc
  .string({ minLength: 1, maxLength: 12, unit: 'binary' })
  .filter((text) => text === text.trim() && !/[\r\n]/.test(text));
/** Any finite float32, from its bits: subnormals and negative zero included. */
const float32 = fc
  .integer()
  .map((bits) => new Float32Array(Int32Array.of(bits).buffer)[0] ?? 0)
  .filter(Number.isFinite);
const everyFloat = fc.oneof(float32, fc.constantFrom(-0, 0.1, 9.80665).map(Math.fround));

/** Strictly increasing times: mostly regular, now and then a gap, from anywhere in a year. */
const times = fc
  .tuple(
    fc.integer({ min: 0, max: 3e13 }),
    fc.array(
      fc.oneof(
        { weight: 9, arbitrary: fc.integer({ min: 1, max: 30_000 }) },
        { weight: 1, arbitrary: fc.integer({ min: 1e6, max: 1e10 }) },
      ),
      { maxLength: 260, size: 'max' },
    ),
  )
  .map(([start, steps]) =>
    Float64Array.from(
      steps,
      (
        (t) => (step) =>
          (t += step)
      )(start),
    ),
  );

const modality = (name: string, unit: string): fc.Arbitrary<RecordedModality> =>
  fc
    .record({
      tUs: times,
      width: fc.integer({ min: 1, max: 3 }),
      sampleRateHz: fc.double({ min: 0.5, max: 4000, noNaN: true }),
    })
    .chain(({ tUs, width, sampleRateHz }) =>
      fc.array(everyFloat, { minLength: tUs.length * width, maxLength: tUs.length * width }).map((values) => ({
        name,
        unit,
        channels: ['x', 'y', 'z'].slice(0, width),
        sampleRateHz,
        tUs,
        values: Float32Array.from(values),
      })),
    );

const recording: fc.Arbitrary<Recording> = fc
  .record({
    subject: label.filter((text) => !text.startsWith('#')),
    modalities: fc
      .constantFrom(1, 2, 3)
      .chain((count) =>
        fc
          .tuple(modality('acc', 'mps2'), modality('gyr', 'radps'), modality('mag', 'uT'))
          .map((all) => all.slice(0, count)),
      ),
    changes: fc.uniqueArray(fc.nat({ max: 999 }), { maxLength: 6 }),
    names: fc.array(fc.option(label), { minLength: 6, maxLength: 6 }),
  })
  .map(({ subject, modalities, changes, names }) => {
    // Changes of label fall on samples, beside them, or after the last one.
    const instants = [
      ...new Set(modalities.flatMap(({ tUs }) => [...tUs, (tUs.at(-1) ?? 0) + 7, (tUs[0] ?? 0) + 1])),
    ].sort((a, b) => a - b);
    const at = [...new Set(changes.map((change) => instants[Math.floor((change / 1000) * instants.length)] ?? 0))].sort(
      (a, b) => a - b,
    );
    const labels: { tUs: number; label: string | null }[] = [];
    for (const [i, tUs] of at.entries()) {
      const name = names[i] ?? null;
      if (name !== (labels.at(-1)?.label ?? null)) labels.push({ tUs, label: name });
    }
    return { subject, modalities, labels };
  });

async function collected(events: Iterable<StreamEvent> | AsyncIterable<StreamEvent>): Promise<StreamEvent[]> {
  const all = [];
  for await (const event of events) all.push(event);
  return all;
}

for (const name of ['any.csv', 'any.csv.gz']) {
  test(`${name}: written and read back, a recording is the same, as a whole and as a stream`, async (t) => {
    const path = join(await temporaryFolder(t), name);
    await fc.assert(
      fc.asyncProperty(recording, async (original) => {
        await writeRecording(original, path);
        assert.deepEqual(await readRecording(path), original);
        assert.deepEqual(await collected((await openTrace(path)).events), await collected(eventsOf(original)));
      }),
      { numRuns: 100 },
    );
  });
}

test('events are in order: every sample before a change of label is out before it, none after it, and blocks are short', () => {
  fc.assert(
    fc.property(recording, (original) => {
      const samples = original.modalities.map(() => 0);
      let reachedUs = -Infinity;
      for (const event of eventsOf(original)) {
        if (event.kind === 'label') {
          for (const [m, { tUs }] of original.modalities.entries()) {
            assert.equal(samples[m], tUs.filter((t) => t < event.tUs).length);
          }
          reachedUs = event.tUs;
          continue;
        }
        const { tUs, values } = original.modalities[event.modality] as RecordedModality;
        const from = samples[event.modality] as number;
        const to = from + event.tUs.length;
        const width = values.length / tUs.length;
        assert.ok(event.tUs.length >= 1 && event.tUs.length <= 100);
        assert.ok((event.tUs[0] as number) >= reachedUs);
        assert.deepEqual([event.tUs, event.values], [tUs.slice(from, to), values.slice(from * width, to * width)]);
        samples[event.modality] = to;
      }
      assert.deepEqual(
        samples,
        original.modalities.map(({ tUs }) => tUs.length),
      );
    }),
    { numRuns: 200 },
  );
});
