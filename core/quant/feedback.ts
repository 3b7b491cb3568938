/**
 * Error feedback: what quantization lost in this round is added to the next round's delta, so that nothing is lost for good.
 *   c = delta + residual,  q = Q(c),  residual' = c − dequantize(q)
 * Invariant: Σ dequantize(q) + last residual = Σ delta, up to float32 rounding.
 * Source: Seide et al., Interspeech 2014 (1-bit SGD); Karimireddy et al., ICML 2019 (EF-SGD).
 */
import { dequantize, type Quantized, quantize, type Stochastic } from './affine.ts';

/** The quantized vector to send and the `[n]` residual to keep until the next round; both new. */
export interface QuantizedWithResidual {
  readonly quantized: Quantized;
  readonly residual: Float32Array;
}

/** Quantizes `delta + residual`, both `[n]`, neither mutated. A residual of zeros starts the chain. */
export function quantizeWithFeedback(
  delta: Float32Array,
  residual: Float32Array,
  bits: number,
  mode?: Stochastic,
): QuantizedWithResidual {
  if (residual.length !== delta.length)
    throw new RangeError(`residual of ${residual.length}, delta of ${delta.length} values`);
  const wanted = new Float32Array(delta.length);
  for (let i = 0; i < wanted.length; i++) wanted[i] = (delta[i] as number) + (residual[i] as number);
  const quantized = quantize(wanted, bits, mode);
  const sent = dequantize(quantized);
  for (let i = 0; i < wanted.length; i++) wanted[i] = (wanted[i] as number) - (sent[i] as number);
  return { quantized, residual: wanted };
}
