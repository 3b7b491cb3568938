/** Closeness of number lists. */
import assert from 'node:assert/strict';

/** Fails, naming the worst place, unless every |actual − expected| ≤ tolerance. */
export function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  assert.equal(actual.length, expected.length);
  let worst = 0;
  let place = 0;
  for (let i = 0; i < expected.length; i++) {
    const distance = Math.abs((actual[i] as number) - (expected[i] as number));
    if (distance <= worst) continue; // NaN is not ≤ anything
    worst = distance;
    place = i;
    if (Number.isNaN(distance)) break;
  }
  assert.ok(worst <= tolerance, `[${place}] is ${actual[place]}, not ${expected[place]} ± ${tolerance}`);
}
