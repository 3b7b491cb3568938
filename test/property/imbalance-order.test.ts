import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { WindowModality } from '../../core/stream/align.ts';
import type { Window } from '../../core/stream/window.ts';
import { recordingOf, windowsOf } from '../../core/trace/order.ts';

/** Periods of 20,000, 9,615.38… and 160,000 µs. */
const MODALITIES: WindowModality[] = [
  { name: 'acc', unit: 'mps2', channels: ['x', 'y', 'z'], sampleRateHz: 50, samples: 32 },
  { name: 'gyr', unit: 'radps', channels: ['x'], sampleRateHz: 104, samples: 67 },
  { name: 'mag', unit: 'uT', channels: ['x', 'y'], sampleRateHz: 6.25, samples: 4 },
];

const value = fc.float({ noNaN: true, noDefaultInfinity: true });
const modalityValues = ({ samples, channels }: WindowModality) =>
  fc.option(
    fc
      .array(value, { minLength: 8, maxLength: 8 })
      .map((some) => Float32Array.from({ length: samples * channels.length }, (_, i) => some[(i * 7) % 8] as number)),
  );

const windows = fc.array(
  fc
    .record({
      label: fc.constantFrom('sit', 'walk', null),
      values: fc.tuple(...MODALITIES.map(modalityValues)),
    })
    .filter(({ values }) => values.some((of) => of !== null)),
  { maxLength: 12 },
);

const content = (some: readonly Pick<Window, 'label' | 'values'>[]) =>
  some.map(({ label, values }) => ({ label, values }));

test('windows played as bursts are cut out again, bit for bit, whatever the overlap', () => {
  fc.assert(
    fc.property(windows, fc.constantFrom(0, 0.5, 0.75), (played, overlap) => {
      const recording = recordingOf(played, { subject: 'ada', modalities: MODALITIES });
      const cut = windowsOf(recording, { wanted: MODALITIES, windowSeconds: 0.64, overlap });
      assert.deepEqual(content(cut), content(played));
      assert.deepEqual(
        cut.map(({ index }) => index),
        [...played.keys()],
      );
    }),
    { numRuns: 200 },
  );
});
