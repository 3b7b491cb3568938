/**
 * An update's payload against the round that is open, or, where late updates count, against an earlier one as that had asked for it.
 * Every training round makes one version of the model, so what an earlier round asked for is known.
 */
import { decodeUpdate, type UpdateExpectation } from '../core/wire/decode.ts';
import type { OpenRound } from './store/round-store.ts';

/** What every update must look like, whatever its round and device. */
export type UpdateFrame = Pick<UpdateExpectation, 'epoch' | 'shapeHash' | 'spec' | 'layout' | 'limits' | 'maxWindows'>;

/** What a round asks for. */
export type Addressed = Pick<OpenRound, 'round' | 'kind' | 'modelVersion'>;

/** @param mostLate rounds that the update may be late by; 0: only what the open round asks for is read */
export function readUpdate(
  frame: UpdateFrame,
  device: string,
  payload: Uint8Array,
  open: Addressed,
  mostLate: number,
): ReturnType<typeof decodeUpdate> {
  const decodeAs = ({ round, kind, modelVersion }: Addressed) =>
    decodeUpdate(payload, { ...frame, device, round, kind, modelVersion });
  const decoded = decodeAs(open);
  if (decoded.ok || decoded.reason !== 'wrong-round' || decoded.key === null) return decoded;
  const { round } = decoded.key;
  if (open.kind !== 'training' || !isLateBy(open.round, round, mostLate)) return decoded;
  return decodeAs({ round, kind: 'training', modelVersion: open.modelVersion - (open.round - round) });
}

/** Whether a training round is 1 to `mostLate` before the round `at`. The statistics of round 0 are agreed once and never late. */
export function isLateBy(at: number, round: number, mostLate: number): boolean {
  return round >= 1 && round < at && at - round <= mostLate;
}
