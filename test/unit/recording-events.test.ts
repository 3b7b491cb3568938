/** Events of a recording come in order of their first sample, also around holes: a windower must not think a modality late. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SampleBlock } from '../../core/stream/event.ts';
import type { RecordedModality, Recording } from '../../core/trace/recording.ts';
import { eventsOf } from '../../core/trace/recording-events.ts';

test('a modality that returns after a hole does not overtake the one that was there all the time', () => {
  const steady = modality(
    'gyr',
    Array.from({ length: 150 }, (_, i) => i * 20_000),
  );
  const returning = modality('acc', [0, 20_000, 2_500_000, 2_520_000]);
  const recording: Recording = { subject: 's', modalities: [returning, steady], labels: [{ tUs: 0, label: 'walk' }] };
  const blocks = [...eventsOf(recording)].filter((event): event is SampleBlock => event.kind === 'samples');
  const firsts = blocks.map(({ tUs }) => tUs[0] as number);
  assert.deepEqual(
    firsts,
    firsts.toSorted((a, b) => a - b),
  );
  const count = (m: number) =>
    blocks.filter(({ modality: of }) => of === m).reduce((sum, { tUs }) => sum + tUs.length, 0);
  assert.deepEqual([count(0), count(1)], [4, 150]);
});

function modality(name: string, times: readonly number[]): RecordedModality {
  const tUs = Float64Array.from(times);
  return { name, unit: 'mps2', channels: ['x'], sampleRateHz: 50, tUs, values: new Float32Array(tUs.length) };
}
