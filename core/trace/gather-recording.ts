/** A stream of events as a recording in memory, and a recording moved so that it begins at 0. */
import type { StreamEvent, StreamModality } from '../stream/event.ts';
import type { RecordedModality, Recording } from './recording.ts';

/** @param header whose motion it is, and what the stream carries */
export async function gatherRecording(
  { subject, modalities }: { readonly subject: string; readonly modalities: readonly StreamModality[] },
  events: AsyncIterable<StreamEvent> | Iterable<StreamEvent>,
): Promise<Recording> {
  const blocks = modalities.map(() => ({ tUs: [] as Float64Array[], values: [] as Float32Array[] }));
  const labels: { tUs: number; label: string | null }[] = [];
  for await (const event of events) {
    if (event.kind === 'label') {
      labels.push({ tUs: event.tUs, label: event.label });
      continue;
    }
    blocks[event.modality]?.tUs.push(event.tUs);
    blocks[event.modality]?.values.push(event.values);
  }
  const recorded = modalities.map((modality, index): RecordedModality => {
    const { tUs = [], values = [] } = blocks[index] ?? {};
    const samples = tUs.reduce((sum, block) => sum + block.length, 0);
    return {
      ...modality,
      tUs: joined(tUs, new Float64Array(samples)),
      values: joined(values, new Float32Array(samples * modality.channels.length)),
    };
  });
  return { subject, modalities: recorded, labels };
}

/** The same with the first sample at time 0; a label that was set before it begins with it. */
export function fromZero({ subject, modalities, labels }: Recording): Recording {
  const startUs = Math.min(...modalities.map(({ tUs }) => tUs[0] ?? Number.POSITIVE_INFINITY));
  if (!Number.isFinite(startUs)) return { subject, modalities, labels: [] };
  const earlier = labels.filter(({ tUs }) => tUs <= startUs).at(-1);
  const later = labels.filter(({ tUs }) => tUs > startUs).map(({ tUs, label }) => ({ tUs: tUs - startUs, label }));
  return {
    subject,
    modalities: modalities.map((modality) => ({ ...modality, tUs: modality.tUs.map((tUs) => tUs - startUs) })),
    labels: earlier === undefined ? later : [{ tUs: 0, label: earlier.label }, ...later],
  };
}

function joined<A extends Float32Array | Float64Array>(blocks: readonly A[], into: A): A {
  let at = 0;
  for (const block of blocks) {
    into.set(block, at);
    at += block.length;
  }
  return into;
}
