/** The live demo's sensors: a recording that goes round, and troubles that come and go on cue. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import type { SampleBlock, StreamEvent } from '../../core/stream/event.ts';
import type { Recording } from '../../core/trace/recording.ts';
import { loopedEvents } from '../../scripts/live/looped-recording.ts';
import { type Cue, troubled } from '../../scripts/live/sensor-script.ts';

const SAMPLES = 1000;
const PERIOD_US = 20_000;

function recording(): Recording {
  const modality = (name: string, unit: string) => ({
    ...{ name, unit, channels: ['x', 'y', 'z'], sampleRateHz: 50 },
    tUs: Float64Array.from({ length: SAMPLES }, (_, i) => 1e6 + i * PERIOD_US),
    values: Float32Array.from({ length: 3 * SAMPLES }, (_, i) => i),
  });
  return {
    modalities: [modality('acc', 'mps2'), modality('gyr', 'radps')],
    labels: [{ tUs: 1e6, label: 'walk' }],
  } as unknown as Recording;
}

function firstOf<T>(events: Iterable<T>, count: number): T[] {
  const taken: T[] = [];
  for (const event of events) {
    taken.push(event);
    if (taken.length === count) break;
  }
  return taken;
}

const blocksOf = (events: readonly StreamEvent[], modality: number) =>
  events.filter((event): event is SampleBlock => event.kind === 'samples' && event.modality === modality);

test('a looped recording goes on in time, with its labels, and its samples are the same again', () => {
  const events = firstOf(loopedEvents(recording()), 60);
  const acc = blocksOf(events, 0);
  const times = acc.flatMap(({ tUs }) => [...tUs]);
  assert.ok(times.length > 2 * SAMPLES);
  assert.ok(
    times.every((tUs, i) => i === 0 || tUs > (times[i - 1] as number)),
    'time goes on',
  );
  assert.equal((times[SAMPLES] as number) - (times[SAMPLES - 1] as number), 1e6, 'a hole between two turns');
  const values = acc.flatMap((block) => [...block.values]);
  assert.deepEqual(values.slice(3 * SAMPLES, 6 * SAMPLES), values.slice(0, 3 * SAMPLES));
  const labels = events.filter(({ kind }) => kind === 'label').map(({ tUs }) => tUs);
  assert.ok(labels.length >= 2 && (labels[1] as number) > (times[SAMPLES - 1] as number));
});

for (const [trouble, holds] of [
  ['gone', (after: SampleBlock[]) => after.length === 0],
  ['stuck', (after: SampleBlock[]) => after.every(({ values }) => values.every((value, i) => value === values[i % 3]))],
  ['noisy', (after: SampleBlock[]) => after.every(({ values }) => values.some((value) => !Number.isInteger(value)))],
] as const) {
  test(`a sensor that is ${trouble} is so while its cue lasts, and only it`, () => {
    const cue: Cue = { modality: 1, trouble, fromUs: 5e6, untilUs: 9e6 };
    const events = firstOf(troubled(loopedEvents(recording()), [cue], createRng('live')), 60);
    const plain = firstOf(loopedEvents(recording()), 100);
    const within = ({ tUs }: SampleBlock) => (tUs[0] as number) >= cue.fromUs && (tUs[0] as number) < cue.untilUs;
    const gyr = blocksOf(events, 1);
    assert.ok(holds(gyr.filter(within)), 'in trouble');
    assert.ok(blocksOf(plain, 1).filter(within).length > 1, 'there is something to trouble');
    const last = gyr.at(-1) as SampleBlock;
    assert.ok((last.tUs[0] as number) > cue.untilUs, 'it comes back');
    const untouched = gyr.filter((block) => !within(block));
    const same = blocksOf(plain, 1).filter((block) => !within(block));
    assert.deepEqual(untouched, same.slice(0, untouched.length));
    const acc = blocksOf(events, 0);
    assert.deepEqual(acc, blocksOf(plain, 0).slice(0, acc.length));
  });
}

test('a sensor that is stuck from the first sample on repeats that one', () => {
  const cue: Cue = { modality: 1, trouble: 'stuck', fromUs: 0, untilUs: Number.POSITIVE_INFINITY };
  const gyr = blocksOf(firstOf(troubled(loopedEvents(recording()), [cue], createRng('live')), 20), 1);
  assert.ok(gyr.length > 3);
  for (const { values } of gyr) assert.ok(values.every((value, i) => value === i % 3));
});
