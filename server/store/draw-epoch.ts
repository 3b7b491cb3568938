/** A new epoch: 64 random bits, so that no two lives of any database have the same, whatever clocks and backups say. */
import { randomBytes } from 'node:crypto';
import type { Epoch } from '../../core/wire/epoch.ts';

export function drawEpoch(): Epoch {
  const epoch = randomBytes(8).toString('hex');
  return /[1-9a-f]/.test(epoch) ? epoch : drawEpoch(); // all 0 means "not said" on the wire
}
