/**
 * How a chip is mounted: which of its axes are the board's x, y and z. A mounting is a rotation; three signs and letters that are none
 * (one axis twice, or a mirror image such as only z turned round) are refused, since no screw can do that.
 */
import { AppError } from '../../core/base/errors.ts';

export type Axis = 'x' | 'y' | 'z' | '-x' | '-y' | '-z';

/** Per axis of the board: the chip's axis (0 to 2) and its sign. */
export interface Mounting {
  readonly from: readonly [number, number, number];
  readonly sign: readonly [number, number, number];
}

/** @param axes three of them, as in the settings @throws AppError `config-invalid` when they are no rotation */
export function mountingOf(axes: readonly Axis[]): Mounting {
  const [x, y, z] = axes.map((axis) => ({
    from: 'xyz'.indexOf(axis.at(-1) ?? ''),
    sign: axis.startsWith('-') ? -1 : 1,
  }));
  if (x === undefined || y === undefined || z === undefined || axes.length !== 3) throw notARotation(axes);
  // Determinant of the matrix: sign of the permutation (cyclic orders of three are even) times the signs of the axes.
  const isPermutation = new Set([x.from, y.from, z.from]).size === 3;
  const order = (y.from - x.from + 3) % 3 === 1 ? 1 : -1;
  if (!isPermutation || order * x.sign * y.sign * z.sign !== 1) throw notARotation(axes);
  return { from: [x.from, y.from, z.from], sign: [x.sign, y.sign, z.sign] };
}

function notARotation(axes: readonly string[]): AppError {
  return new AppError('config-invalid', `[${axes.join(', ')}] is no rotation of x, y, z`, {
    where: 'sensors.axes',
    hint: 'name the chip axis that points along the board x, y and z; turning one axis round turns a second one, e.g. x, -y, -z',
  });
}
