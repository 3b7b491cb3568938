import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { StreamEvent, StreamModality } from '../../core/stream/event.ts';
import type { Window } from '../../core/stream/window.ts';
import { createWindower, type WindowerOptions, type WindowPosition } from '../../core/stream/windower.ts';

const PERIOD = [10_000, 25_000] as const;
const MODALITIES: StreamModality[] = [
  { name: 'acc', unit: 'mps2', channels: ['x'], sampleRateHz: 100 },
  { name: 'gyr', unit: 'radps', channels: ['x', 'y'], sampleRateHz: 40 },
];

const options = (overlap: number, resume?: WindowPosition): WindowerOptions => ({
  modalities: MODALITIES,
  wanted: [
    { ...(MODALITIES[0] as StreamModality), samples: 20 },
    { ...(MODALITIES[1] as StreamModality), samples: 8 },
  ],
  windowSeconds: 0.2,
  overlap,
  ...(resume === undefined ? {} : { resume }),
});

interface Sample {
  readonly modality: number;
  readonly tUs: number;
  readonly value: number;
}

/** A stream with jitter, lost samples, dead sensors, pauses and labels, in order of time. */
const stream = fc
  .record({
    steps: fc.tuple(
      fc.array(
        fc.oneof(
          { weight: 60, arbitrary: fc.integer({ min: -2000, max: 2000 }) },
          { weight: 1, arbitrary: fc.integer({ min: 0, max: 900_000 }) },
        ),
        { minLength: 1, maxLength: 300 },
      ),
      fc.array(
        fc.oneof(
          { weight: 60, arbitrary: fc.integer({ min: -4000, max: 4000 }) },
          { weight: 1, arbitrary: fc.integer({ min: 0, max: 900_000 }) },
        ),
        { minLength: 1, maxLength: 120 },
      ),
    ),
    phase: fc.tuple(fc.nat(30_000), fc.nat(30_000)),
    labels: fc.array(fc.record({ tUs: fc.nat(4_000_000), label: fc.constantFrom('a', 'b', null) }), { maxLength: 4 }),
  })
  .map(({ steps, phase, labels }) => {
    const samples: Sample[] = [];
    for (const modality of [0, 1] as const) {
      let tUs = phase[modality];
      steps[modality].forEach((extra, i) => {
        samples.push({ modality, tUs, value: i });
        tUs += PERIOD[modality] + extra;
      });
    }
    samples.sort((a, b) => a.tUs - b.tUs || a.modality - b.modality);
    return { samples, labels: [...labels].sort((a, b) => a.tUs - b.tUs) };
  });

/** Events in order of time; blocks as long as `lengths` says, each of one modality, never across a label. */
function eventsOf(
  { samples, labels }: { samples: Sample[]; labels: { tUs: number; label: string | null }[] },
  lengths: readonly number[],
) {
  const events: StreamEvent[] = [];
  const pending = [...labels];
  let block: Sample[] = [];
  let turn = 0;
  const flush = () => {
    for (const modality of [0, 1]) {
      const own = block.filter((sample) => sample.modality === modality);
      if (own.length === 0) continue;
      const channels = MODALITIES[modality]?.channels.length as number;
      events.push({
        kind: 'samples',
        modality,
        tUs: Float64Array.from(own, ({ tUs }) => tUs),
        values: Float32Array.from(
          own.flatMap(({ value }) => Array.from({ length: channels }, (_, c) => value + c / 4)),
        ),
      });
    }
    block = [];
  };
  for (const sample of samples) {
    for (let next = pending[0]; next !== undefined && next.tUs <= sample.tUs; next = pending[0]) {
      flush();
      events.push({ kind: 'label', ...next });
      pending.shift();
    }
    block.push(sample);
    if (block.length >= (lengths[turn % lengths.length] as number)) {
      flush();
      turn++;
    }
  }
  flush();
  return events;
}

function cut(events: readonly StreamEvent[], settings: WindowerOptions): Window[] {
  const windows: Window[] = [];
  const windower = createWindower(settings, (window) => windows.push(window));
  for (const event of events) windower.push(event);
  windower.end();
  return windows;
}

const overlaps = fc.constantFrom(0, 0.25, 0.5, 0.75);
const blockLengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

test('how the samples come in blocks does not change the windows', () => {
  fc.assert(
    fc.property(stream, overlaps, blockLengths, (recorded, overlap, lengths) => {
      const one = cut(eventsOf(recorded, [1]), options(overlap));
      assert.deepEqual(cut(eventsOf(recorded, lengths), options(overlap)), one);
    }),
    { numRuns: 300 },
  );
});

test('stopped after any event and resumed from its position, the same windows come with the same indices', () => {
  fc.assert(
    fc.property(
      stream,
      overlaps,
      blockLengths,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (recorded, overlap, lengths, when) => {
        const events = eventsOf(recorded, lengths);
        const whole = cut(events, options(overlap));
        const before: Window[] = [];
        const stopped = createWindower(options(overlap), (window) => before.push(window));
        const stop = Math.floor(when * (events.length + 1));
        for (const event of events.slice(0, stop)) stopped.push(event);
        const position = stopped.position();
        assert.deepEqual([...before, ...cut(events, options(overlap, position))], whole);
      },
    ),
    { numRuns: 500 },
  );
});

test('resumed from samples shortly before the position, the same windows come too', () => {
  fc.assert(
    fc.property(stream, overlaps, fc.nat(600), fc.nat(300_000), (recorded, overlap, stop, earlierUs) => {
      const whole = cut(eventsOf(recorded, [1]), options(overlap));
      const before: Window[] = [];
      const stopped = createWindower(options(overlap), (window) => before.push(window));
      for (const event of eventsOf(recorded, [1]).slice(0, stop)) stopped.push(event);
      const position = stopped.position();
      const fromUs = position.resumeAtUs - 2 * PERIOD[1] - earlierUs;
      const rest = { ...recorded, samples: recorded.samples.filter(({ tUs }) => tUs >= fromUs) };
      assert.deepEqual([...before, ...cut(eventsOf(rest, [1]), options(overlap, position))], whole);
    }),
    { numRuns: 500 },
  );
});

test('a window holds samples of its own time and label only, and no hole', () => {
  fc.assert(
    fc.property(stream, overlaps, (recorded, overlap) => {
      for (const { tStartUs, label, values, completeness } of cut(eventsOf(recorded, [1]), options(overlap))) {
        assert.ok(values.some((value) => value !== null));
        values.forEach((value, m) => {
          const period = PERIOD[m as 0 | 1];
          const inside = recorded.samples.filter(
            ({ modality, tUs }) =>
              modality === m && tUs >= tStartUs - period / 2 && tUs < tStartUs + 200_000 - period / 2,
          );
          if (value === null) {
            assert.ok((completeness[m] as number) < 1);
            return;
          }
          const channels = value.length / (200_000 / period);
          assert.ok(Math.abs(inside.length - 200_000 / period) <= Math.max(2, 20_000 / period));
          assert.ok((value[0] as number) >= (inside[0]?.value as number));
          assert.ok((value[value.length - channels] as number) <= (inside.at(-1)?.value as number));
          for (let i = 1; i < inside.length; i++)
            assert.ok((inside[i] as Sample).tUs - (inside[i - 1] as Sample).tUs <= 1.5 * period);
          const last = inside.at(-1)?.tUs as number;
          const holding = recorded.labels.filter(({ tUs }) => tUs <= last).at(-1)?.label ?? null;
          assert.equal(label, holding);
        });
      }
    }),
    { numRuns: 300 },
  );
});
