/** Class means of fixed features per modality, and PNR's filling by them: prototypes for the convex case. */

/** τ_s on features scaled to unit variance, as on layer-normalized embeddings. */
const TEMPERATURE = 0.25;

export interface FeatureMeans {
  /** One vector of all modalities; what is absent is zeros, or filled from the class means when `hasPrototypes`. */
  filled(parts: readonly (Float64Array | null)[], hasPrototypes: boolean): Float64Array;
  learn(parts: readonly (Float64Array | null)[], label: number): void;
}

/** @param lengths features per modality */
export function createFeatureMeans(classes: number, lengths: readonly number[]): FeatureMeans {
  const counts = lengths.map(() => new Float64Array(classes));
  const sums = lengths.map((length) => Array.from({ length: classes }, () => new Float64Array(length)));
  const meanOf = (m: number, c: number, i: number) => {
    const sum = sums[m]?.[c]?.[i] ?? 0;
    return sum / (counts[m]?.[c] ?? 1);
  };
  const isKnown = (m: number, c: number) => (counts[m]?.[c] ?? 0) > 0;

  /** exp(−distance/τ) of each class over the modalities that are there, 0 for a class that cannot be compared or filled. */
  function weightsOf(parts: readonly (Float64Array | null)[], missing: number): number[] {
    const distances = Array.from({ length: classes }, (_, c) => {
      const present = parts.flatMap((part, m) => (part !== null && isKnown(m, c) ? [{ part, m }] : []));
      if (present.length === 0 || !isKnown(missing, c)) return Number.POSITIVE_INFINITY;
      const each = present.map(
        ({ part, m }) => part.reduce((sum, value, i) => sum + (value - meanOf(m, c, i)) ** 2, 0) / part.length,
      );
      return each.reduce((sum, distance) => sum + distance, 0) / each.length;
    });
    const nearest = Math.min(...distances);
    return distances.map((distance) => (Number.isFinite(distance) ? Math.exp((nearest - distance) / TEMPERATURE) : 0));
  }

  function filling(parts: readonly (Float64Array | null)[], missing: number): Float64Array {
    const weights = weightsOf(parts, missing);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const length = lengths[missing] ?? 0;
    if (total === 0) return new Float64Array(length);
    return Float64Array.from({ length }, (_, i) =>
      weights.reduce((sum, weight, c) => (weight === 0 ? sum : sum + (weight / total) * meanOf(missing, c, i)), 0),
    );
  }

  return {
    filled(parts, hasPrototypes) {
      const all = parts.map(
        (part, m) => part ?? (hasPrototypes ? filling(parts, m) : new Float64Array(lengths[m] ?? 0)),
      );
      return Float64Array.from(all.flatMap((part) => [...part]));
    },
    learn(parts, label) {
      for (const [m, part] of parts.entries()) {
        const sum = sums[m]?.[label];
        const count = counts[m];
        if (part === null || sum === undefined || count === undefined) continue;
        count[label] = (count[label] as number) + 1;
        for (let i = 0; i < part.length; i++) sum[i] = (sum[i] as number) + (part[i] as number);
      }
    },
  };
}
