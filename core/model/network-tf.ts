/**
 * The network on TensorFlow (docs/algorithm.md §2–§5): E steps of plain SGD on
 *   mean_i CE(head(z̃_i), y_i) + L_PLR ,  z̃ with missing embeddings filled,
 * and prediction. The first forward pass of a training call runs under the broadcast parameters, so its embeddings and
 * probabilities are the prequential ones, at no extra cost. The backward pass is linear in its gradient, so the step size
 * is multiplied in at the logits and nowhere else: what comes out is what is subtracted.
 */
import { AppError } from '../base/errors.ts';
import { type AlignPlan, align, planAlign } from '../qqr/align.ts';
import type { PrototypeSet } from '../qqr/prototype.ts';
import type { Kernels, Tensor, Tf } from './backend.ts';
import type { Batch } from './batch.ts';
import { backward, type ForwardPlan, forward, type ParamTensors, planForward } from './forward.ts';
import { createKernels } from './kernels.ts';
import type { InferInput, Network, TrainInput, TrainOutput } from './network.ts';
import { type ParamLayout, paramLayout } from './params.ts';
import type { ModelSpec } from './spec.ts';

/** Windows that one inference pass takes: bounds memory to some tens of MB. */
const SLICE = 512;

interface Context {
  readonly tf: Tf;
  readonly k: Kernels;
  readonly spec: ModelSpec;
  readonly layout: ParamLayout;
}

/**
 * The network for `spec`. `tf` comes from `loadBackend`.
 * @throws AppError `config-invalid` when a window is too short for the convolutions. Its calls throw `shape-mismatch`
 * when parameters or prototypes are not of this spec.
 */
export function createNetwork(tf: Tf, spec: ModelSpec): Network {
  const context: Context = { tf, k: createKernels(tf), spec, layout: paramLayout(spec) };
  return {
    train(input) {
      checkShapes(context, input.params, input.prototypes);
      return tidied(tf, () => train(context, input));
    },
    infer(input) {
      checkShapes(context, input.params, input.prototypes);
      return infer(context, input);
    },
    tensorCount: () => tf.memory().numTensors,
  };
}

interface TrainPlan {
  readonly forward: ForwardPlan;
  /** `[B, C]` one-hot labels. */
  readonly targets: Tensor;
  /** Scalar η / B. */
  readonly gain: Tensor;
  readonly align: AlignPlan | null;
}

interface Step {
  readonly params: ParamTensors;
  /** `[B, M·d]` and `[B, C]`, before the step. */
  readonly embeddings: Tensor;
  readonly logits: Tensor;
  /** `[B]` and `[B·M]` */
  readonly losses: Tensor;
  readonly alignLosses: Tensor | null;
}

function train(context: Context, { params, prototypes, batch, settings }: TrainInput): TrainOutput {
  const { tf, k, spec } = context;
  const { size } = batch;
  const stepPerWindow = settings.learningRate / size;
  const alignGain = settings.alignWeight * stepPerWindow;
  const plan: TrainPlan = {
    forward: planForward(k, spec, batch, prototypes, settings),
    targets: k.constant(oneHot(batch.labels, spec.classes.length), [size, spec.classes.length]),
    gain: k.constant(Float32Array.of(stepPerWindow), []),
    align: alignGain === 0 ? null : planAlign(k, prototypes, batch, settings.alignTemperature, alignGain),
  };
  const steps: Step[] = [];
  let current = toTensors(context, params);
  for (let e = 0; e < settings.localSteps; e++) {
    const done = tidiedTensors(tf, () => step(k, plan, current));
    steps.push(done);
    current = done.params;
  }
  const first = steps[0] ?? forward(k, plan.forward, current);
  return {
    params: toFlat(context, current, params),
    embeddings: perModality(read(first.embeddings), spec),
    probabilities: read(k.softmax(first.logits)),
    losses: Float32Array.from(steps, (done) => totalLoss(done, plan.align, settings.alignWeight, size)),
  };
}

/** One SGD step. */
function step(k: Kernels, plan: TrainPlan, params: ParamTensors): Step {
  const { embeddings, logits, tape } = forward(k, plan.forward, params);
  const { losses, gradient } = k.softmaxCrossEntropy(logits, plan.targets);
  const aligned = plan.align === null ? null : align(k, plan.align, embeddings);
  const ofEmbeddings = aligned === null ? null : aligned.gradient;
  const changes = backward(k, plan.forward, params, tape, k.mul(gradient, plan.gain), ofEmbeddings);
  const next = params.map((group, g) => {
    const change = changes[g] ?? null;
    return change === null ? group : group.map((tensor, i) => k.sub(tensor, change[i] as Tensor));
  });
  return { params: next, embeddings, logits, losses, alignLosses: aligned === null ? null : aligned.losses };
}

function infer(context: Context, input: InferInput): Float32Array {
  const { tf, k, spec } = context;
  const classes = spec.classes.length;
  const probabilities = new Float32Array(input.batch.size * classes);
  for (let from = 0; from < input.batch.size; from += SLICE) {
    const batch = sliceBatch(input.batch, from, Math.min(from + SLICE, input.batch.size));
    const part = tidied(tf, () => {
      const plan = planForward(k, spec, batch, input.prototypes, input);
      return read(k.softmax(forward(k, plan, toTensors(context, input.params)).logits));
    });
    probabilities.set(part, from * classes);
  }
  return probabilities;
}

/** The result of `body`, none of whose tensors outlive it. `tf.tidy` itself would search typed arrays for tensors. */
function tidied<T>(tf: Tf, body: () => T): T {
  const results: T[] = [];
  tf.tidy(() => {
    results.push(body());
  });
  return results[0] as T;
}

/** The tensors in `body`'s result; all others end here. The types of `tf.tidy` know neither readonly arrays nor null, its code does. */
function tidiedTensors<T extends object>(tf: Tf, body: () => T): T {
  return tf.tidy(body as unknown as () => Tensor) as unknown as T;
}

function toTensors({ k, layout }: Context, params: Float32Array): ParamTensors {
  return layout.groups.map(({ tensors }) =>
    tensors.map(({ offset, size, shape }) => k.constant(params.subarray(offset, offset + size), shape)),
  );
}

/** A new flat vector. `before` is where the tensors of encoders that did not run still are what they were. */
function toFlat({ layout }: Context, params: ParamTensors, before: Float32Array): Float32Array {
  const flat = Float32Array.from(before);
  for (const [g, { tensors }] of layout.groups.entries()) {
    for (const [i, { offset }] of tensors.entries()) flat.set(read(params[g]?.[i] as Tensor), offset);
  }
  return flat;
}

function read(tensor: Tensor): Float32Array {
  return tensor.dataSync<'float32'>();
}

/** `[B, M·d]` → M × `[B, d]` */
function perModality(joined: Float32Array, { modalities, embedding }: ModelSpec): Float32Array[] {
  const stride = modalities.length * embedding;
  const size = joined.length / stride;
  return modalities.map((_, m) => {
    const own = new Float32Array(size * embedding);
    for (let b = 0; b < size; b++) {
      const start = b * stride + m * embedding;
      own.set(joined.subarray(start, start + embedding), b * embedding);
    }
    return own;
  });
}

function totalLoss({ losses, alignLosses }: Step, plan: AlignPlan | null, weight: number, size: number): number {
  let sum = 0;
  for (const loss of read(losses)) sum += loss;
  if (plan !== null && alignLosses !== null) {
    for (const [i, loss] of read(alignLosses).entries()) sum += weight * loss * (plan.counts[i] as number);
  }
  return sum / size;
}

function oneHot(labels: Int32Array, classes: number): Float32Array {
  const rows = new Float32Array(labels.length * classes);
  for (const [i, label] of labels.entries()) rows[i * classes + label] = 1;
  return rows;
}

function sliceBatch(batch: Batch, from: number, to: number): Batch {
  const cut = (values: Float32Array) => {
    const each = values.length / batch.size;
    return values.subarray(from * each, to * each);
  };
  return {
    size: to - from,
    inputs: batch.inputs.map(cut),
    present: cut(batch.present),
    quality: cut(batch.quality),
    labels: batch.labels.subarray(from, to),
  };
}

function checkShapes({ layout, spec }: Context, params: Float32Array, prototypes: PrototypeSet): void {
  const hint =
    'Board and aggregator must share one model spec; take parameters and prototypes from the same broadcast.';
  if (params.length !== layout.total) {
    throw new AppError('shape-mismatch', `${params.length} parameters where the network has ${layout.total}`, { hint });
  }
  const { modalities, classes, dim } = prototypes;
  if (modalities !== spec.modalities.length || classes !== spec.classes.length || dim !== spec.embedding) {
    const wanted = [spec.modalities.length, spec.classes.length, spec.embedding].join(' × ');
    const got = [modalities, classes, dim].join(' × ');
    throw new AppError('shape-mismatch', `prototypes of ${got} where the network has ${wanted}`, { hint });
  }
}
