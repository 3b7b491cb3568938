/**
 * The compressed model delta Δ = W_local − W_broadcast with error feedback: what a round's codes leave out, and what is learned in
 * rounds in which no model travels, is added to a later round's, so that nothing is lost for good (docs/algorithm.md §9).
 *   owed = Δ + residual,  sent = Q(owed),  residual' = owed − sent
 * Invariant: Σ sent + last residual = Σ Δ over the rounds in which a group takes part, up to float32 rounding.
 * What silent rounds add is not stale: nobody's model travels in them, so it was learned from the same broadcast. Older are what codes
 * left out, what a group is owed that took no part in a sending round, and all of a board that missed one.
 * Source: Seide et al., Interspeech 2014 (1-bit SGD); Karimireddy et al., ICML 2019 (EF-SGD).
 */
import { createRng, type Rng } from '../../core/math/rng.ts';
import type { ParamGroup, ParamLayout } from '../../core/model/params.ts';
import type { TrainSettings } from '../../core/model/settings.ts';
import { dequantize, type Quantized, quantize } from '../../core/quant/affine.ts';
import { encodeDense, encodeSparse } from '../../core/quant/coded.ts';
import { quantizeSign } from '../../core/quant/sign.ts';
import { densify, sparsify } from '../../core/quant/sparse.ts';
import type { CodedModel, GroupDelta } from '../../core/wire/update.ts';

export interface DeltaToCompress {
  readonly layout: ParamLayout;
  /** `[total]` parameters after local training. */
  readonly trained: Float32Array;
  /** `[total]` parameters it started from. */
  readonly broadcast: Float32Array;
  /** `[total]` of the round before; all zeros at first. */
  readonly residual: Float32Array;
  /** `modelShare` below 1 only with a code that can be sparse (`canBeSparse`). */
  readonly settings: Pick<TrainSettings, 'modelBits' | 'modelCode' | 'modelShare' | 'modelEvery'>;
  readonly round: number;
  /** Whether a group (modality index, −1 for the head) takes part; one that does not neither travels nor is owed. */
  readonly takesPart: (group: number) => boolean;
  /** Uniform in [0, 1), for stochastic rounding: `roundingOf`. */
  readonly random: () => number;
}

export interface CompressedDelta {
  /** What travels, one of both: empty and null when nothing does. */
  readonly model: readonly GroupDelta[];
  readonly coded: CodedModel | null;
  /** `[total]` what is still owed to the aggregator. */
  readonly residual: Float32Array;
}

/** The random numbers of a board's rounding in one round: the same after a restart. */
export function roundingOf(device: string, round: number): Rng {
  return createRng(`rounding/${device}/${round}`);
}

/** Pure. Every value that is owed must be finite. */
export function compressDelta({
  layout,
  settings,
  round,
  takesPart,
  random,
  ...vectors
}: DeltaToCompress): CompressedDelta {
  const parts = layout.groups.filter(({ group }) => takesPart(group));
  const owed = owedBy(parts, vectors);
  if (round % settings.modelEvery !== 0 || parts.length === 0) return { model: [], coded: null, residual: owed };
  if (settings.modelShare < 1) return sendLargest(parts, owed, settings, random);
  const quantizer = quantizerOf(settings, random);
  const model = parts.map(({ group, tensors }) => ({
    group,
    tensors: tensors.map(({ offset, size }) => {
      const quantized = quantizer(owed.subarray(offset, offset + size));
      subtract(owed, offset, dequantize(quantized));
      return quantized;
    }),
  }));
  if (model[0]?.tensors[0]?.bits === 32 || settings.modelCode === 'packed')
    return { model, coded: null, residual: owed };
  const coded = { groups: groupsOf(parts), ...encodeDense(model.flatMap(({ tensors }) => tensors)) };
  return { model: [], coded, residual: owed };
}

/** `[total]` Δ + residual where a group takes part, else the residual alone. */
function owedBy(
  parts: readonly ParamGroup[],
  { trained, broadcast, residual }: Pick<DeltaToCompress, 'trained' | 'broadcast' | 'residual'>,
): Float32Array {
  const owed = residual.slice();
  for (const { offset, size } of parts) {
    for (let i = offset; i < offset + size; i++) {
      owed[i] = (owed[i] as number) + Math.fround((trained[i] as number) - (broadcast[i] as number));
    }
  }
  return owed;
}

function quantizerOf(
  { modelBits, modelCode }: DeltaToCompress['settings'],
  random: () => number,
): (values: Float32Array) => Quantized {
  if (modelCode === 'sign') return quantizeSign;
  const mode = modelCode === 'stochastic' ? { stochastic: random } : undefined;
  return (values) => quantize(values, modelBits, mode);
}

/** Top-k over all that takes part together: a tensor in which little was learned sends little. Mutates `owed` to the residual. */
function sendLargest(
  parts: readonly ParamGroup[],
  owed: Float32Array,
  { modelBits, modelCode, modelShare }: DeltaToCompress['settings'],
  random: () => number,
): CompressedDelta {
  const joined = new Float32Array(parts.reduce((sum, { size }) => sum + size, 0));
  let at = 0;
  for (const { offset, size } of parts) {
    joined.set(owed.subarray(offset, offset + size), at);
    at += size;
  }
  const bits = modelCode === 'sign' ? 1 : modelBits;
  const sparse = sparsify(joined, modelShare, bits, modelCode === 'stochastic' ? { stochastic: random } : undefined);
  const sent = densify(sparse);
  at = 0;
  for (const { offset, size } of parts) {
    subtract(owed, offset, sent.subarray(at, at + size));
    at += size;
  }
  const sizes = parts.flatMap(({ tensors }) => tensors.map(({ size }) => size));
  return { model: [], coded: { groups: groupsOf(parts), ...encodeSparse(sparse, sizes) }, residual: owed };
}

function groupsOf(parts: readonly ParamGroup[]): number[] {
  return parts.map(({ group }) => group);
}

function subtract(from: Float32Array, offset: number, sent: Float32Array): void {
  for (let i = 0; i < sent.length; i++) from[offset + i] = (from[offset + i] as number) - (sent[i] as number);
}
