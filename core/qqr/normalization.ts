/**
 * The fleet's input scale: z-scores with mean and standard deviation per channel, agreed in round 0 from the boards' sums
 * and frozen with the model from then on (ALGORITHM §2: "input z-scored with statistics of the training stream").
 */

/** Per modality: mean and standard deviation of each channel, physical units. */
export interface Normalization {
  readonly mean: readonly Float32Array[];
  /** > 0 */
  readonly std: readonly Float32Array[];
}
