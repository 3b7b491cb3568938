/**
 * The only door to TensorFlow.js, opened on demand: importing this file loads nothing.
 * Only the native backend will do: the JavaScript one is 500 times slower, the WebAssembly one cannot train convolutions.
 * Invariant: one thread and one instruction set, so that sums are taken in one order and the same input gives the same
 * bits in every process. AVX2 also where AVX-512 is at hand, because there TensorFlow 2.15's matrix product was seen to
 * corrupt the heap when a signal arrives while it runs (a SIGTERM, a profiler's tick). AVX2 is no slower at these sizes.
 */
import { createRequire } from 'node:module';
import { AppError } from '../base/errors.ts';

export type Tf = typeof import('@tensorflow/tfjs-node');
export type Tensor = import('@tensorflow/tfjs-node').Tensor;

/** What the network asks of TensorFlow; `kernels.ts` says why so, and provides it. Results belong to the surrounding `tf.tidy`. */
export interface Kernels {
  /** A float32 tensor; `values` is not kept. */
  constant(values: Float32Array, shape: readonly number[]): Tensor;
  /** An int32 tensor: a shape, an axis, row numbers. */
  integers(values: readonly number[] | Int32Array, shape: readonly number[]): Tensor;

  /** Element by element, with broadcasting. */
  add(a: Tensor, b: Tensor): Tensor;
  sub(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: Tensor): Tensor;
  rsqrt(x: Tensor): Tensor;

  /** `a · b` group by group: `[G, n, k] · [G, k, m]`; a first axis of length 1 serves every group. */
  matMul(a: Tensor, b: Tensor): Tensor;
  /** `aᵀ · b`: the gradient of a weight. */
  matMulLeftTransposed(a: Tensor, b: Tensor): Tensor;
  /** `a · bᵀ`: the gradient of an input. */
  matMulRightTransposed(a: Tensor, b: Tensor): Tensor;
  /** `[G, n, m]` → `[G, 1, m]`: the gradient of a bias. */
  sumRows(gradient: Tensor, axis1: Tensor): Tensor;
  relu(x: Tensor): Tensor;
  /** `output` is what `relu` returned. */
  reluGradient(gradient: Tensor, output: Tensor): Tensor;

  reshape(x: Tensor, shape: Tensor): Tensor;
  /** Mean over `axis`, which stays with length 1. */
  mean(x: Tensor, axis: Tensor): Tensor;
  concat(parts: readonly Tensor[], axis: Tensor): Tensor;
  /** `count` equal parts along `axis`. */
  split(x: Tensor, count: number, axis: Tensor): Tensor[];
  /** `x[rows]`, rows of any rank. */
  gatherRows(x: Tensor, rows: Tensor, axis0: Tensor): Tensor;
  /** The adjoint of `gatherRows`: adds each slice to its row of a `[count, …]` tensor of zeros. */
  scatterRows(slices: Tensor, rows: Tensor, count: Tensor): Tensor;

  /** Over the whole third axis of `[B, 1, length, C]`, giving `[B, 1, 1, C]`. */
  maxPool(x: Tensor, length: number): Tensor;
  maxPoolGradient(x: Tensor, output: Tensor, gradient: Tensor, length: number): Tensor;
  averagePool(x: Tensor, length: number): Tensor;
  averagePoolGradient(shape: Tensor, gradient: Tensor, length: number): Tensor;

  /** Over the last axis of a matrix. */
  softmax(logits: Tensor): Tensor;
  /** Per row −Σ target · ln softmax(logits), and its gradient softmax(logits) − target. */
  softmaxCrossEntropy(logits: Tensor, targets: Tensor): { losses: Tensor; gradient: Tensor };
}

/**
 * Loads TensorFlow once; later calls return the same module.
 * Sets, where unset, `TF_CPP_MIN_LOG_LEVEL`, `TF_NUM_INTRAOP_THREADS`, `TF_NUM_INTEROP_THREADS` and `ONEDNN_MAX_CPU_ISA`.
 * @throws AppError `dependency-missing` when the add-on or its library cannot be loaded, `backend-wrong` when it is not in use.
 */
export async function loadBackend(): Promise<Tf> {
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  process.env['TF_NUM_INTRAOP_THREADS'] ??= '1';
  process.env['TF_NUM_INTEROP_THREADS'] ??= '1';
  process.env['ONEDNN_MAX_CPU_ISA'] ??= 'AVX2'; // of no effect on ARM
  restoreUtilFunctions();
  const tf = await importTensorFlow();
  await tf.ready();
  assertNative(tf.getBackend());
  return tf;
}

/** @throws AppError `backend-wrong` unless `name` is TensorFlow.js's native backend. */
export function assertNative(name: string): void {
  if (name === 'tensorflow') return;
  throw new AppError('backend-wrong', `TensorFlow.js runs on '${name}', not on its native backend`, {
    hint: 'Run `npm rebuild @tensorflow/tfjs-node`, and keep other TensorFlow.js backends out of this process.',
  });
}

async function importTensorFlow(): Promise<Tf> {
  try {
    const module: Tf & { default?: Tf } = await import('@tensorflow/tfjs-node');
    return module.default ?? module;
  } catch (cause) {
    throw new AppError('dependency-missing', 'TensorFlow cannot be loaded', {
      where: '@tensorflow/tfjs-node',
      hint: 'Run `npm ci` again; it builds the native add-on and fetches its library.',
      cause,
    });
  }
}

/** Node 23 removed two functions of `util` that tfjs-node 4.22 still calls at its first reshape. */
function restoreUtilFunctions(): void {
  const util: Record<string, unknown> = createRequire(import.meta.url)('node:util');
  util['isNullOrUndefined'] ??= (value: unknown) => value === null || value === undefined;
  util['isArray'] ??= Array.isArray;
}
