/**
 * Order statistics and moments of plain number arrays. Empty input gives NaN: there is no such number.
 * Median of an even count is the mean of the middle two, as in NumPy.
 */

type Numbers = ArrayLike<number>;
type MutableNumbers = Float32Array | Float64Array;

export function mean(values: Numbers): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum / values.length;
}

/** Sample standard deviation (n − 1); 0 for a single value. */
export function sampleStd(values: Numbers): number {
  if (values.length < 2) return values.length === 1 ? 0 : Number.NaN;
  const center = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += ((values[i] as number) - center) ** 2;
  return Math.sqrt(sum / (values.length - 1));
}

export function median(values: Numbers): number {
  return medianInPlace(Float64Array.from(values));
}

/** Median absolute deviation from `center` (default: the median), unscaled. × 1.4826 estimates the standard deviation of a normal. */
export function mad(values: Numbers, center = median(values)): number {
  return medianInPlace(Float64Array.from(values, (value) => Math.abs(value - center)));
}

/** Linear interpolation between order statistics (NumPy's default); `share` in [0, 1]. */
export function quantile(values: Numbers, share: number): number {
  const sorted = Float64Array.from(values).sort();
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (at - Math.floor(at)) * (above - below);
}

/** Median in expected O(n), without allocation; reorders `values`, which must not hold NaN. */
export function medianInPlace(values: MutableNumbers): number {
  const { length } = values;
  if (length === 0) return Number.NaN;
  const middle = length >> 1;
  select(values, middle);
  const upper = values[middle] as number;
  if (length % 2 === 1) return upper;
  let lower = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < middle; i++) lower = Math.max(lower, values[i] as number);
  return (lower + upper) / 2;
}

/** Hoare's selection: afterwards `values[k]` is the k-th smallest and nothing before it is greater. */
function select(values: MutableNumbers, k: number): void {
  let left = 0;
  let right = values.length - 1;
  while (left < right) {
    const pivot = values[k] as number;
    let i = left;
    let j = right;
    while (i <= j) {
      while ((values[i] as number) < pivot) i++;
      while ((values[j] as number) > pivot) j--;
      if (i <= j) {
        const swapped = values[i] as number;
        values[i] = values[j] as number;
        values[j] = swapped;
        i++;
        j--;
      }
    }
    if (j < k) left = i;
    if (k < i) right = j;
  }
}
