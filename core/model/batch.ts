/** Windows as the network takes them: normalized, with masks. */

export interface Batch {
  /** B */
  readonly size: number;
  /** Per modality `[B, T_m, C_m]` z-scored; all zeros for windows without it. */
  readonly inputs: readonly Float32Array[];
  /** `[B, M]` 1 where the modality is there, else 0. */
  readonly present: Float32Array;
  /** `[B, M]` quality in [0, 1]; 0 where absent. */
  readonly quality: Float32Array;
  /** `[B]` class index, −1 where unknown (allowed at inference only). */
  readonly labels: Int32Array;
}
