import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StreamEvent, StreamModality } from '../../core/stream/event.ts';
import type { Window } from '../../core/stream/window.ts';
import { createWindower, type WindowerOptions } from '../../core/stream/windower.ts';

const ACC: StreamModality = { name: 'acc', unit: 'mps2', channels: ['x', 'y', 'z'], sampleRateHz: 50 };
const GYR: StreamModality = { name: 'gyr', unit: 'radps', channels: ['x', 'y', 'z'], sampleRateHz: 50 };
const BOTH: WindowerOptions = {
  modalities: [ACC, GYR],
  wanted: [
    { ...ACC, samples: 128 },
    { ...GYR, samples: 128 },
  ],
  windowSeconds: 2.56,
  overlap: 0.5,
};
const ACC_ONLY: WindowerOptions = { ...BOTH, modalities: [ACC] };
const PERIOD = 20_000;

/** `count` samples from `startUs`; the value of a sample is its number from `first` on, per channel shifted by 0, 1000, 2000. */
function samples(modality: number, startUs: number, count: number, first = 0, periodUs = PERIOD): StreamEvent {
  return {
    kind: 'samples',
    modality,
    tUs: Float64Array.from({ length: count }, (_, i) => startUs + i * periodUs),
    values: Float32Array.from({ length: 3 * count }, (_, i) => first + Math.floor(i / 3) + 1000 * (i % 3)),
  };
}

const label = (tUs: number, name: string | null): StreamEvent => ({ kind: 'label', tUs, label: name });

function cut(events: readonly StreamEvent[], options: WindowerOptions = BOTH) {
  const windows: Window[] = [];
  const windower = createWindower(options, (window) => windows.push(window));
  for (const event of events) windower.push(event);
  windower.end();
  return { windows, stats: windower.stats() };
}

const firstValues = (windows: readonly Window[], m: number) => windows.map(({ values }) => values[m]?.[0] ?? null);

for (const length of [127, 128, 191, 192, 193, 255, 256, 1000]) {
  test(`a segment of ${length} samples gives ⌊(L − 128)/64⌋ + 1 windows`, () => {
    const { windows } = cut([samples(0, 0, length)], ACC_ONLY);
    assert.equal(windows.length, length < 128 ? 0 : Math.floor((length - 128) / 64) + 1);
    windows.forEach((window, i) => {
      assert.equal(window.index, i);
      assert.equal(window.tStartUs, i * 64 * PERIOD);
      assert.equal(window.values[0]?.length, 128 * 3);
      assert.equal(window.values[0]?.[0], i * 64);
      assert.equal(window.values[0]?.[127 * 3 + 2], i * 64 + 127 + 2000);
    });
  });
}

test('a change of label starts a new grid at its first sample', () => {
  const events = [
    label(0, 'sit'),
    samples(0, 0, 150),
    label(150 * PERIOD, 'stand'),
    samples(0, 150 * PERIOD, 200, 150),
  ];
  const { windows } = cut(events, ACC_ONLY);
  assert.deepEqual(
    windows.map((window) => [window.label, window.tStartUs / PERIOD, window.values[0]?.[0]]),
    [
      ['sit', 0, 0],
      ['stand', 150, 150],
      ['stand', 214, 214],
    ],
  );
});

test('a label that says what already holds does not cut', () => {
  const { windows } = cut([label(0, 'sit'), samples(0, 0, 100), label(2e6, 'sit'), samples(0, 2e6, 28)], ACC_ONLY);
  assert.equal(windows.length, 1);
});

test('a label one sample before the window ends takes the window away', () => {
  const { windows } = cut([label(127 * PERIOD, 'stand'), samples(0, 0, 128)], ACC_ONLY);
  assert.deepEqual(windows, []);
});

test('a label between the last sample of a window and the next one, but nearer the last, takes the window away', () => {
  const change = (afterUs: number) => [
    samples(0, 0, 128),
    label(127 * PERIOD + afterUs, 'stand'),
    samples(0, 128 * PERIOD, 9),
  ];
  assert.equal(cut(change(9_000), ACC_ONLY).windows.length, 0);
  assert.equal(cut(change(11_000), ACC_ONLY).windows.length, 1);
});

test('a segment whose last sample comes early still gives its last window', () => {
  const event = samples(0, 0, 128) as Extract<StreamEvent, { kind: 'samples' }>;
  event.tUs[127] = 127 * PERIOD - 5_000;
  assert.equal(cut([event], ACC_ONLY).windows.length, 1);
});

test('unlabelled stretches give windows without a label', () => {
  const events = [
    samples(0, 0, 128),
    label(128 * PERIOD, 'sit'),
    samples(0, 128 * PERIOD, 128),
    label(256 * PERIOD, null),
    samples(0, 256 * PERIOD, 128),
  ];
  assert.deepEqual(
    cut(events, ACC_ONLY).windows.map((window) => window.label),
    [null, 'sit', null],
  );
});

test('a hole in all modalities starts a new grid; nothing spans it', () => {
  const events = [samples(0, 0, 200), samples(1, 0, 200), samples(0, 10e6, 130, 500), samples(1, 10e6, 130, 500)];
  const { windows, stats } = cut(events);
  assert.deepEqual(firstValues(windows, 0), [0, 64, 500]);
  assert.deepEqual(firstValues(windows, 1), [0, 64, 500]);
  assert.equal(stats.empty, 0);
});

test('one lost sample of one modality takes that modality from the windows it falls in, and no other', () => {
  const events = [samples(0, 0, 320), samples(1, 0, 150), samples(1, 151 * PERIOD, 169, 151)];
  const { windows } = cut(events);
  assert.deepEqual(firstValues(windows, 0), [0, 64, 128, 192]);
  assert.deepEqual(firstValues(windows, 1), [0, null, null, 192]);
  assert.equal(windows[1]?.completeness[1], 127 / 128);
});

for (const lost of [63, 64, 127, 128, 191, 192]) {
  test(`sample ${lost} lost at the edge of a window is a hole in that window`, () => {
    const rest = lost + 1;
    const events = [samples(0, 0, 320), samples(1, 0, lost), samples(1, rest * PERIOD, 320 - rest, rest)];
    const expected = [0, 64, 128, 192].map((start) => (start <= lost && lost < start + 128 ? null : start));
    assert.deepEqual(firstValues(cut(events).windows, 1), expected);
  });
}

test('the first sample of every second window lost, for long', () => {
  const windows: Window[] = [];
  const windower = createWindower(BOTH, (window) => windows.push(window));
  for (let i = 0; i < 128 * 200; i += 16) {
    windower.push(samples(0, i * PERIOD, 16, i));
    const isLost = i > 0 && i % 128 === 0 ? 1 : 0;
    windower.push(samples(1, (i + isLost) * PERIOD, 16 - isLost, i + isLost));
  }
  assert.ok(windows.length > 390);
  assert.deepEqual(
    windows.filter(({ values }) => values[1] !== null).map(({ index }) => index),
    [0],
  );
});

test('a sensor that stops shows as missing with the share received, the other goes on, and it comes back', () => {
  const events = [samples(0, 0, 640), samples(1, 0, 96), samples(1, 400 * PERIOD, 240, 400)];
  const { windows } = cut(events);
  assert.deepEqual(firstValues(windows, 1), [null, null, null, null, null, null, null, 448, 512]);
  assert.deepEqual(
    windows.map((window) => window.completeness[1]),
    [96 / 128, 32 / 128, 0, 0, 0, 48 / 128, 112 / 128, 1, 1],
  );
  assert.ok(windows.every((window) => window.values[0] !== null));
});

test('when the sensors fail in turn the window in which both fail is counted and not emitted', () => {
  const events = [
    ...[samples(0, 0, 30), samples(0, 40 * PERIOD, 280, 40)],
    ...[samples(1, 0, 80), samples(1, 90 * PERIOD, 230, 90)],
  ];
  const { windows, stats } = cut(events);
  assert.deepEqual(firstValues(windows, 0), [64, 128, 192]);
  assert.deepEqual(firstValues(windows, 1), [null, 128, 192]);
  assert.equal(windows[0]?.index, 0);
  assert.deepEqual(stats, { windows: 3, empty: 1, resampled: 0, lateSamples: 0 });
});

test('a modality that the stream does not have is null throughout', () => {
  const { windows } = cut([samples(0, 0, 192)], ACC_ONLY);
  assert.deepEqual(firstValues(windows, 1), [null, null]);
  assert.deepEqual(windows[0]?.completeness, [1, 0]);
});

test('a modality that the model does not want changes nothing', () => {
  const mag: StreamModality = { name: 'mag', unit: 'uT', channels: ['x'], sampleRateHz: 10 };
  const events: StreamEvent[] = [
    samples(1, 0, 192),
    { kind: 'samples', modality: 0, tUs: Float64Array.of(1e9), values: Float32Array.of(1) },
  ];
  const { windows } = cut(events, { ...BOTH, modalities: [mag, ACC] });
  assert.deepEqual(firstValues(windows, 0), [0, 64]);
});

test('modalities out of phase by any part of a period both come', () => {
  for (const phaseUs of [1, 5_000, 9_999, 10_000, 10_001, 15_000, 19_999]) {
    const { windows } = cut([samples(0, 0, 320), samples(1, phaseUs, 320)]);
    assert.equal(windows.length, 4, `phase ${phaseUs}`);
    assert.ok(
      windows.every(({ values }) => values[0] !== null && values[1] !== null),
      `phase ${phaseUs}`,
    );
  }
});

test('modalities of different rates share the grid', () => {
  const slow: StreamModality = { ...GYR, sampleRateHz: 25 };
  const options = {
    ...BOTH,
    modalities: [ACC, slow],
    wanted: [
      { ...ACC, samples: 128 },
      { ...slow, samples: 64 },
    ],
  };
  const { windows } = cut([samples(0, 0, 256), samples(1, 0, 128, 0, 2 * PERIOD)], options);
  assert.deepEqual(firstValues(windows, 0), [0, 64, 128]);
  assert.deepEqual(firstValues(windows, 1), [0, 32, 64]);
});

for (const [percent, rateHz] of [
  [-4, 48],
  [4, 52],
] as const) {
  test(`an oscillator off by ${percent} % is interpolated onto the nominal grid`, () => {
    const { windows, stats } = cut([samples(0, 0, 600, 0, Math.round(1e6 / rateHz))], ACC_ONLY);
    assert.ok(windows.length >= 7);
    assert.equal(stats.resampled, windows.length);
    for (const { values, tStartUs } of windows) {
      // The value of a sample is its number, so at time t a line through the samples reads t·rate.
      for (let i = 3; i < 125; i++) {
        const expected = ((tStartUs + i * PERIOD) / Math.round(1e6 / rateHz)) as number;
        assert.ok(Math.abs((values[0]?.[i * 3] as number) - expected) < 1e-3);
      }
    }
  });
}

test('nothing is interpolated over a hole, however short the loss', () => {
  const events = [samples(0, 0, 128), samples(1, 0, 60), samples(1, 62 * PERIOD, 66, 62)];
  assert.deepEqual(firstValues(cut(events).windows, 1), [null]);
});

test('jitter below half a period changes no value', () => {
  const jitter = Float64Array.from({ length: 128 }, (_, i) => i * PERIOD + (i === 0 ? 0 : ((i * 7919) % 9000) - 4500));
  const event = samples(0, 0, 128) as Extract<StreamEvent, { kind: 'samples' }>;
  const { windows } = cut([{ ...event, tUs: jitter }], ACC_ONLY);
  assert.deepEqual(windows[0]?.values[0], event.values);
});

test('a window comes as soon as both sensors have passed its end, without waiting for more', () => {
  const windows: Window[] = [];
  const windower = createWindower(BOTH, (window) => windows.push(window));
  windower.push(samples(0, 0, 129));
  assert.equal(windows.length, 0);
  windower.push(samples(1, 0, 129));
  assert.equal(windows.length, 1);
});

test('a dead sensor is waited for no longer than the lateness', () => {
  const windows: Window[] = [];
  const windower = createWindower(BOTH, (window) => windows.push(window));
  for (let i = 0; i < 128 + 50; i += 10) windower.push(samples(0, i * PERIOD, 10, i));
  assert.equal(windows.length, 0);
  windower.push(samples(0, 178 * PERIOD, 10, 178));
  assert.equal(windows.length, 1);
});

test('samples that come after their time was decided are counted and left out', () => {
  const events = [samples(0, 0, 100), samples(0, 100 * PERIOD, 100), samples(1, 0, 20), samples(0, 50 * PERIOD, 10)];
  assert.equal(cut(events, { ...BOTH, latenessUs: 100_000 }).stats.lateSamples, 30);
});

test('a position after a reboot starts the numbering, not the clock, where it stopped', () => {
  const { windows } = cut([samples(0, 0, 128)], { ...ACC_ONLY, resume: { nextIndex: 41, resumeAtUs: 0 } });
  assert.deepEqual([windows[0]?.index, windows[0]?.tStartUs], [41, 0]);
});

test('a process restarted into a running stream starts its own grid after the gap', () => {
  const resume = { nextIndex: 3, resumeAtUs: 192 * PERIOD };
  const { windows } = cut([samples(0, 1000 * PERIOD, 200, 1000)], { ...ACC_ONLY, resume });
  assert.deepEqual(
    windows.map((window) => [window.index, window.values[0]?.[0]]),
    [
      [3, 1000],
      [4, 1064],
    ],
  );
});

test('without overlap, a segment that starts just before the next window was due is resumed on its own grid', () => {
  const options = { ...BOTH, overlap: 0 };
  const whole = [
    ...[samples(0, 0, 128), samples(1, 7_000, 128), samples(0, 128 * PERIOD - 8_000, 1, 128)],
    ...[
      label(128 * PERIOD - 6_000, 'sit'),
      samples(1, 128 * PERIOD - 5_000, 200, 128),
      samples(0, 129 * PERIOD - 8_000, 200, 129),
    ],
  ];
  const before: Window[] = [];
  const stopped = createWindower(options, (window) => before.push(window));
  for (const event of whole.slice(0, 3)) stopped.push(event);
  stopped.push(samples(1, 128 * PERIOD - 7_500, 1, 128));
  assert.deepEqual([before.length, stopped.position().resumeAtUs], [1, 128 * PERIOD]);
  const resumed = cut(whole, { ...options, resume: stopped.position() }).windows;
  assert.deepEqual(resumed, cut(whole, options).windows.slice(1));
  assert.equal(resumed[0]?.tStartUs, 128 * PERIOD - 5_000);
});

test('the position is already past the window that is being emitted', () => {
  const positions: unknown[] = [];
  const windower = createWindower(ACC_ONLY, () => positions.push(windower.position()));
  windower.push(samples(0, 0, 193));
  assert.deepEqual(positions, [
    { nextIndex: 1, resumeAtUs: 64 * PERIOD },
    { nextIndex: 2, resumeAtUs: 128 * PERIOD },
  ]);
});

test('hours of samples need the memory of seconds', () => {
  const windower = createWindower(ACC_ONLY, () => undefined);
  const heapBefore = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 2_000_000; i += 100) windower.push(samples(0, i * PERIOD, 100, i));
  assert.equal(windower.stats().windows, Math.floor((2_000_000 - 1 - 128) / 64) + 1);
  assert.ok(process.memoryUsage().arrayBuffers - heapBefore < 100e6);
});
