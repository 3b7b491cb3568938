/**
 * The stored stream as a sensor would give it: blocks and changes of label in order of time.
 * Invariant: no block reaches over a change of label, as with a trace that is read from a file (`core/trace/row-parser.ts`).
 */
import type { LabelChange, SampleBlock, StreamEvent } from '../../core/stream/event.ts';

/**
 * @param blocks in order of their first sample
 * @param labels ascending; those before the first sample are told at its time, the last of them only
 */
export function* withLabels(blocks: Iterable<SampleBlock>, labels: readonly LabelChange[]): Generator<StreamEvent> {
  let next = 0;
  let isBegun = false;
  let waiting: SampleBlock[] = [];
  const upToNext = function* (block: SampleBlock): Generator<SampleBlock> {
    const [before, after] = splitAt(block, labels[next]?.tUs ?? Number.POSITIVE_INFINITY);
    if (before.tUs.length > 0) yield before;
    if (after.tUs.length > 0) waiting.push(after);
  };
  /** The changes up to `tUs`, each followed by what has waited for it. */
  const changesUntil = function* (tUs: number): Generator<StreamEvent> {
    for (let change = labels[next]; change !== undefined && change.tUs <= tUs; change = labels[next]) {
      next++;
      yield change;
      const held = waiting.sort((a, b) => Number(a.tUs[0]) - Number(b.tUs[0]));
      waiting = [];
      for (const block of held) yield* upToNext(block);
    }
  };
  for (const block of blocks) {
    const firstUs = Number(block.tUs[0]);
    if (!isBegun) {
      while (Number(labels[next + 1]?.tUs) <= firstUs) next++;
      const inForce = labels[next];
      if (inForce !== undefined && inForce.tUs < firstUs) {
        next++;
        yield { ...inForce, tUs: firstUs };
      }
      isBegun = true;
    }
    yield* changesUntil(firstUs);
    yield* upToNext(block);
  }
  if (isBegun) yield* changesUntil(Number.POSITIVE_INFINITY);
}

/** What of the block is before `tUs`, and the rest. */
function splitAt({ kind, modality, tUs, values }: SampleBlock, atUs: number): [SampleBlock, SampleBlock] {
  const found = tUs.findIndex((t) => t >= atUs);
  const at = found < 0 ? tUs.length : found;
  const channels = values.length / tUs.length;
  return [
    { kind, modality, tUs: tUs.subarray(0, at), values: values.subarray(0, at * channels) },
    { kind, modality, tUs: tUs.subarray(at), values: values.subarray(at * channels) },
  ];
}
