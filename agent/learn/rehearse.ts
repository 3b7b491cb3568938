/**
 * Rehearsal: a board practises failures before they happen. Each local step but the first sees the round's windows anew, all as if
 * the board had been worn a little differently (`reworn.ts`), some with a fault in one sensor, some without one of their sensors.
 * The first step, the prototypes and the score on unseen windows stay with the windows as they came. E steps over one small batch
 * fit it too well anyway; variety costs next to nothing.
 * Faults and their severities are those of `core/trace/faults.ts`, in units of the round's own signal.
 */
import type { Rng } from '../../core/math/rng.ts';
import type { Batch, BatchWindow } from '../../core/model/batch.ts';
import type { TrainSettings } from '../../core/model/settings.ts';
import type { ModelSpec } from '../../core/model/spec.ts';
import { acStdOf, applyFault, drawFault, FAULT_KINDS } from '../../core/trace/faults.ts';
import { reworn } from './reworn.ts';

/** Milder faults than these are within what healthy sensors do. */
const SEVERITY = [0.2, 1] as const;

/** The batches of steps 2 … E; empty when nothing is rehearsed, and every step sees the windows as they are. */
export function rehearsals(
  windows: readonly BatchWindow[],
  { modalities }: ModelSpec,
  { fill, localSteps, rehearseFaults, rehearseMissing, rehearseWearing }: TrainSettings,
  toBatch: (windows: readonly BatchWindow[]) => Batch,
  rng: Rng,
): Batch[] {
  if (rehearseFaults === 0 && rehearseMissing === 0 && rehearseWearing === 0) return [];
  const channels = modalities.map((modality) => modality.channels.length);
  const acStd = acStdOf(windows, channels);
  return Array.from({ length: localSteps - 1 }, (_, step) => {
    const own = rng.fork(`step/${step}`);
    const changed = windows.map((window) => {
      const other = own.next() < rehearseWearing ? reworn(window, channels, own) : window;
      return own.next() < rehearseFaults ? withFault(other, channels, acStd, own) : other;
    });
    const batch = withGaps(toBatch(changed), rehearseMissing, own);
    return fill === 'zero-input' ? withEmptyInputs(batch) : batch;
  });
}

/** A random fault in one of the window's modalities, drawn among those that there could be. */
function withFault(
  window: BatchWindow,
  channels: readonly number[],
  acStd: readonly Float32Array[],
  rng: Rng,
): BatchWindow {
  const m = rng.int(channels.length);
  const values = window.values[m] ?? null;
  if (values === null) return window;
  const fault = drawFault(FAULT_KINDS, SEVERITY, rng);
  const spoilt = applyFault(values, channels[m] as number, fault, acStd[m] as Float32Array, rng);
  return { ...window, values: window.values.with(m, spoilt) };
}

/** Hides one modality of some windows from the head, never the last one. Its embedding is still drawn to its prototype. */
function withGaps(batch: Batch, share: number, rng: Rng): Batch {
  const modalities = batch.present.length / batch.size;
  const present = batch.present.slice();
  for (let i = 0; i < batch.size; i++) {
    if (rng.next() >= share) continue;
    const rows = Array.from({ length: modalities }, (_, m) => i * modalities + m).filter((row) => present[row] === 1);
    if (rows.length > 1) present[rows[rng.int(rows.length)] as number] = 0;
  }
  return { ...batch, present, sensed: batch.present };
}

/** What is hidden, hidden from the encoders too, for a network that takes every input as it is: alignment then sees as much as the head. */
function withEmptyInputs({ sensed, ...batch }: Batch): Batch {
  const { size, present } = batch;
  const inputs = batch.inputs.map((input, m) => {
    const shown = input.slice();
    const each = input.length / size;
    for (let i = 0; i < size; i++)
      if (present[i * batch.inputs.length + m] === 0) shown.fill(0, i * each, (i + 1) * each);
    return shown;
  });
  return { ...batch, inputs };
}
