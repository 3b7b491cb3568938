/** A sensor's modalities with the length of their windows. */
import { AppError } from '../../core/base/errors.ts';
import type { WindowModality } from '../../core/stream/align.ts';
import type { StreamHeader } from '../../core/stream/event.ts';

/** Below this the signal measures have nothing to measure. */
const LEAST_SAMPLES = 4;

/** @throws AppError `config-invalid` when a window is too short for one of them */
export function windowModalities({ modalities }: StreamHeader, windowSeconds: number): WindowModality[] {
  return modalities.map((modality) => {
    const samples = Math.round(windowSeconds * modality.sampleRateHz);
    if (samples >= LEAST_SAMPLES) return { ...modality, samples };
    throw new AppError('config-invalid', `${windowSeconds} s hold ${samples} samples of '${modality.name}'`, {
      where: 'window.seconds',
      hint: `a window needs at least ${LEAST_SAMPLES} samples: at ${modality.sampleRateHz} Hz that is ${LEAST_SAMPLES / modality.sampleRateHz} s`,
    });
  });
}
