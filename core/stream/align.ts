/**
 * Which modality of a stream serves which modality of the model.
 * A modality that the stream lacks is allowed: a board without a gyroscope is quantity imbalance, not an error. A modality of
 * the right name but with another unit, other channels or another rate would feed the model nonsense, so it stops the start.
 */
import { AppError } from '../base/errors.ts';
import type { StreamModality } from './event.ts';

/** A modality as windows hold it; the model's modalities are such. */
export interface WindowModality extends StreamModality {
  /** T: samples in a window. */
  readonly samples: number;
}

/** How far a sensor's rate may be from the model's, as a share: the windower resamples within it. */
export const RATE_TOLERANCE = 0.1;

/**
 * Per modality of the model, its index in the stream; −1 where the stream has none of that name.
 * @throws AppError `shape-mismatch` when a modality of that name measures something else, or when the two share none.
 */
export function alignModalities(stream: readonly StreamModality[], wanted: readonly WindowModality[]): number[] {
  const indices = wanted.map((spec) => {
    const index = stream.findIndex(({ name }) => name === spec.name);
    const found = stream[index];
    if (found !== undefined) assertSameMeasurement(found, spec);
    return index;
  });
  if (indices.every((index) => index < 0)) {
    throw new AppError('shape-mismatch', `the stream carries ${names(stream)}, the model wants ${names(wanted)}`, {
      hint: 'Rename the modalities of the recording, or list the ones it has in the model.',
    });
  }
  return indices;
}

function assertSameMeasurement(found: StreamModality, spec: WindowModality): void {
  const differ = (what: string, has: string, wants: string, hint: string) =>
    new AppError('shape-mismatch', `${what} of modality '${spec.name}' is ${has}, the model wants ${wants}`, {
      where: spec.name,
      hint,
    });
  if (found.unit !== spec.unit) {
    throw differ('the unit', found.unit, spec.unit, 'Convert the values, or correct the unit in the header.');
  }
  if (found.channels.join() !== spec.channels.join()) {
    const hint = 'Name and order the channels as the model does.';
    throw differ('the channel list', found.channels.join(), spec.channels.join(), hint);
  }
  if (Math.abs(found.sampleRateHz / spec.sampleRateHz - 1) > RATE_TOLERANCE) {
    const hint = `Set the sensor to within ${RATE_TOLERANCE * 100} % of the model's rate, or resample the recording (qqr data import --rate ${spec.sampleRateHz}).`;
    throw differ('the sample rate', `${found.sampleRateHz} Hz`, `${spec.sampleRateHz} Hz`, hint);
  }
}

function names(modalities: readonly { readonly name: string }[]): string {
  return modalities.map(({ name }) => name).join(', ') || 'nothing';
}
