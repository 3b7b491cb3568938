/**
 * Which part answers: the number in a chip's identification register against a list of those that its driver can read.
 * Boards sold under one name often carry a relative or a clone; one that works is taken, and said, not refused.
 */
import { AppError } from '../../core/base/errors.ts';
import type { Identity } from './chip.ts';

/** What a driver knows about a number. */
export interface KnownPart {
  readonly part: string;
  /** Present when the part's own registers differ, or when it is a clone. */
  readonly warning?: string;
}

/**
 * @param wanted the part that the settings name, e.g. `MPU-6050`
 * @param known number → part
 * @throws AppError `chip-unknown` for a number that is not in the list
 */
export function identifyPart(whoAmI: number, wanted: string, known: Readonly<Record<number, KnownPart>>): Identity {
  const found = known[whoAmI];
  if (found === undefined) {
    throw new AppError('chip-unknown', `WHO_AM_I is ${hex(whoAmI)}, which is no ${wanted} or relative of it`, {
      where: 'sensors.chip',
      hint: 'name the chip that is on the board; qqr agent probe shows what answers at which address',
    });
  }
  const other =
    found.part === wanted ? undefined : `configured as ${wanted}, answers as ${found.part} (${hex(whoAmI)})`;
  const warning = [other, found.warning].filter((line) => line !== undefined).join('; ');
  return { whoAmI, part: found.part, ...(warning === '' ? {} : { warning }) };
}

function hex(number: number): string {
  return `0x${number.toString(16).padStart(2, '0')}`;
}
