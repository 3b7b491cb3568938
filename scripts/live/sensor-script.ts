/**
 * Sensors that fail on cue: what a board's stream looks like while a cable is off, a driver repeats its last reading, or a sensor is
 * noisy. Samples are changed or left out as they pass; nothing is invented for what is left out.
 */
import type { Rng } from '../../core/math/rng.ts';
import type { SampleBlock, StreamEvent } from '../../core/stream/event.ts';

export const TROUBLES = ['gone', 'stuck', 'noisy'] as const;

export type Trouble = (typeof TROUBLES)[number];

export interface Cue {
  /** Index of the modality in the stream's header. */
  readonly modality: number;
  readonly trouble: Trouble;
  /** Stream time from which on it holds. */
  readonly fromUs: number;
  /** Stream time at which it is over; Infinity: for good. */
  readonly untilUs: number;
}

/** Of what a noisy sensor adds to each sample, in the unit of the modality. */
const NOISE_STD = 4;

export function* troubled(
  events: Iterable<StreamEvent>,
  cues: readonly Cue[],
  rng: Rng,
): Generator<StreamEvent, void, undefined> {
  const held = new Map<number, Float32Array>();
  for (const event of events) {
    const changed = event.kind === 'label' ? event : blockIn(event, cues, held, rng);
    if (changed !== null) yield changed;
  }
}

/** The block as it comes through, null when nothing does. A block is wholly in a cue or not, by its first sample. */
function blockIn(
  block: SampleBlock,
  cues: readonly Cue[],
  held: Map<number, Float32Array>,
  rng: Rng,
): SampleBlock | null {
  const startUs = block.tUs[0] ?? 0;
  const cue = cues.find(
    ({ modality, fromUs, untilUs }) => modality === block.modality && startUs >= fromUs && startUs < untilUs,
  );
  const width = block.values.length / block.tUs.length;
  if (cue === undefined) {
    held.set(block.modality, block.values.slice(-width));
    return block;
  }
  if (cue.trouble === 'gone') return null;
  if (cue.trouble === 'noisy')
    return { ...block, values: block.values.map((value) => value + NOISE_STD * rng.normal()) };
  const last = held.get(block.modality) ?? block.values.slice(0, width);
  held.set(block.modality, last);
  return { ...block, values: block.values.map((_, i) => last[i % width] as number) };
}
