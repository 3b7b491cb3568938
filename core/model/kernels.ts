/**
 * The TensorFlow kernels that the network is made of, called by name.
 * A network this small spends its time on calls, not on sums: a call through the public API costs about twice as much as
 * the kernel behind it, and automatic differentiation doubles that again. So forward and backward passes are written out
 * in these calls. Every result is an ordinary tensor, owned by the surrounding `tf.tidy`. All matrices are float32.
 * Matrices have a first axis G, the boards that train side by side: one call multiplies all of theirs. A board by itself is a group of one.
 */
import type { Kernels, Tensor, Tf } from './backend.ts';

interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: boolean | number | string | number[];
}

/** The part of tfjs-node's backend that its own kernels use. */
interface NativeBackend {
  readonly binding: Readonly<
    Record<'TF_ATTR_TYPE' | 'TF_ATTR_INT' | 'TF_ATTR_BOOL' | 'TF_ATTR_STRING' | 'TF_FLOAT' | 'TF_INT32', number>
  >;
  executeSingleOutput(name: string, attributes: readonly Attribute[], inputs: readonly Tensor[]): Tensor;
  executeMultipleOutputs(
    name: string,
    attributes: readonly Attribute[],
    inputs: readonly Tensor[],
    outputs: number,
  ): Tensor[];
}

/** Kernels of a loaded native backend. Attributes are built once, here. */
export function createKernels(tf: Tf): Kernels {
  const backend = tf.backend() as unknown as NativeBackend;
  const { TF_ATTR_TYPE, TF_ATTR_INT, TF_ATTR_BOOL, TF_ATTR_STRING, TF_FLOAT, TF_INT32 } = backend.binding;
  const floats = (name: string): Attribute => ({ name, type: TF_ATTR_TYPE, value: TF_FLOAT });
  const ints = (name: string): Attribute => ({ name, type: TF_ATTR_TYPE, value: TF_INT32 });
  const flag = (name: string, value: boolean): Attribute => ({ name, type: TF_ATTR_BOOL, value });
  const number = (name: string, value: number): Attribute => ({ name, type: TF_ATTR_INT, value });
  const numbers = (name: string, value: number[]): Attribute => ({ name, type: TF_ATTR_INT, value });
  const run = (name: string, attributes: readonly Attribute[], ...inputs: Tensor[]) =>
    backend.executeSingleOutput(name, attributes, inputs);

  const T = [floats('T')];
  const product = (left: boolean, right: boolean) => [...T, flag('adj_x', left), flag('adj_y', right)];
  const [plain, leftTransposed, rightTransposed] = [product(false, false), product(true, false), product(false, true)];
  const reshape = [...T, ints('Tshape')];
  const reduce = [...T, ints('Tidx'), flag('keep_dims', true)];
  const gather = [floats('Tparams'), ints('Tindices'), ints('Taxis')];
  const scatter = [...T, ints('Tindices'), ints('Tnumsegments')];
  const pool = (length: number): Attribute[] => [
    ...T,
    numbers('ksize', [1, 1, length, 1]),
    numbers('strides', [1, 1, length, 1]),
    { name: 'padding', type: TF_ATTR_STRING, value: 'VALID' },
  ];
  return {
    constant: (values, shape) => tf.tensor(values, [...shape], 'float32'),
    integers: (values, shape) => tf.tensor(Int32Array.from(values), [...shape], 'int32'),
    add: (a, b) => run('AddV2', T, a, b),
    sub: (a, b) => run('Sub', T, a, b),
    mul: (a, b) => run('Mul', T, a, b),
    rsqrt: (x) => run('Rsqrt', T, x),
    matMul: (a, b) => run('BatchMatMulV2', plain, a, b),
    matMulLeftTransposed: (a, b) => run('BatchMatMulV2', leftTransposed, a, b),
    matMulRightTransposed: (a, b) => run('BatchMatMulV2', rightTransposed, a, b),
    sumRows: (gradient, axis1) => run('Sum', reduce, gradient, axis1),
    relu: (x) => run('Relu', T, x),
    reluGradient: (gradient, output) => run('ReluGrad', T, gradient, output),
    reshape: (x, shape) => run('Reshape', reshape, x, shape),
    mean: (x, axis) => run('Mean', reduce, x, axis),
    concat: (parts, axis) =>
      parts.length === 1
        ? (parts[0] as Tensor)
        : run('ConcatV2', [...T, ints('Tidx'), number('N', parts.length)], ...parts, axis),
    split: (x, count, axis) =>
      backend.executeMultipleOutputs('Split', [...T, number('num_split', count)], [axis, x], count),
    gatherRows: (x, rows, axis0) => run('GatherV2', gather, x, rows, axis0),
    scatterRows: (slices, rows, count) => run('UnsortedSegmentSum', scatter, slices, rows, count),
    maxPool: (x, length) => run('MaxPool', pool(length), x),
    maxPoolGradient: (x, output, gradient, length) => run('MaxPoolGrad', pool(length), x, output, gradient),
    averagePool: (x, length) => run('AvgPool', pool(length), x),
    averagePoolGradient: (shape, gradient, length) => run('AvgPoolGrad', pool(length), shape, gradient),
    softmax: (logits) => run('Softmax', T, logits),
    softmaxCrossEntropy(logits, targets) {
      const both = backend.executeMultipleOutputs('SoftmaxCrossEntropyWithLogits', T, [logits, targets], 2);
      return { losses: both[0] as Tensor, gradient: both[1] as Tensor };
    },
  };
}
