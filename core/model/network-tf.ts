/**
 * The network on TensorFlow (docs/algorithm.md §2–§5): E steps of plain SGD on
 *   mean_i CE(head(z̃_i), y_i) + alignment ,  z̃ with missing embeddings filled,
 * and prediction. The first forward pass of a training call runs under the broadcast parameters, so its embeddings and
 * probabilities are the prequential ones, at no extra cost. The backward pass is linear in its gradient, so the step size
 * is multiplied in at the logits and nowhere else: what comes out is what is subtracted.
 * Boards that train side by side are one computation with a leading axis G; one board is G = 1.
 */
import { type AlignInput, type Alignment, planAlign } from '../qqr/align.ts';
import { planAlignDistance } from '../qqr/align-distance.ts';
import { joined } from '../qqr/stack.ts';
import type { Kernels, Tensor, Tf } from './backend.ts';
import { type Batch, sliceBatch } from './batch.ts';
import { checkBoards, checkShapes } from './check-shapes.ts';
import { backward, type ForwardPlan, forward, type ParamTensors, planForward } from './forward.ts';
import { createKernels } from './kernels.ts';
import type { InferInput, InferOutput, Network, TrainInput, TrainOutput } from './network.ts';
import { type ParamLayout, paramLayout } from './params.ts';
import type { TrainSettings } from './settings.ts';
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
  const trainAll = (boards: readonly TrainInput[]): TrainOutput[] => {
    if (boards.length === 0) return [];
    for (const { params, prototypes } of boards) checkShapes(spec, context.layout, params, prototypes);
    checkBoards(boards);
    return tidied(tf, () => train(context, boards));
  };
  return {
    trainAll,
    train: (input) => trainAll([input])[0] as TrainOutput,
    infer(input) {
      checkShapes(spec, context.layout, input.params, input.prototypes);
      return infer(context, input);
    },
    tensorCount: () => tf.memory().numTensors,
  };
}

interface TrainPlan {
  readonly forward: ForwardPlan;
  /** `[G·B, C]` one-hot labels; zeros where a label is unknown. */
  readonly targets: Tensor;
  /** `[G·B, 1]` step size over the board's labelled windows; 0 where a label is unknown. */
  readonly gain: Tensor;
  readonly align: Alignment | null;
  /** The shapes `[G·B, C]` and `[G, B, C]`. */
  readonly rows: Tensor;
  readonly logits: Tensor;
}

interface Step {
  readonly params: ParamTensors;
  /** `[G, B, M·d]` and `[G, B, C]`, before the step. */
  readonly embeddings: Tensor;
  readonly logits: Tensor;
  /** `[G·B]` and `[G·B·M]` */
  readonly losses: Tensor;
  readonly alignLosses: Tensor | null;
}

function train(context: Context, boards: readonly TrainInput[]): TrainOutput[] {
  const { tf, k, layout, spec } = context;
  const { settings } = boards[0] as TrainInput;
  const plans = planSteps(context, boards, settings);
  const start = toTensors(
    k,
    layout,
    boards.map(({ params }) => params),
  );
  const pull = settings.proximalWeight * settings.learningRate;
  const proximal = pull === 0 ? null : { start, pull: k.constant(Float32Array.of(pull), []) };
  const steps: Step[] = [];
  let current: ParamTensors = start;
  for (let e = 0; e < settings.localSteps; e++) {
    const plan = (plans[e] ?? plans[0]) as TrainPlan;
    const done = tidiedTensors(tf, () => step(k, plan, current, proximal));
    steps.push(done);
    current = done.params;
  }
  const plan = plans[0] as TrainPlan;
  const first = steps[0] ?? forward(k, plan.forward, current);
  const params = toFlat(
    layout,
    current,
    boards.map((board) => board.params),
  );
  const embeddings = perBoard(read(first.embeddings), boards.length);
  const probabilities = perBoard(read(k.softmax(k.reshape(first.logits, plan.rows))), boards.length);
  const losses = perBoardLosses(steps, boards, plans, settings);
  return boards.map((_, g) => ({
    params: params[g] as Float32Array,
    embeddings: perModality(embeddings[g] as Float32Array, spec),
    probabilities: probabilities[g] as Float32Array,
    losses: losses[g] as Float32Array,
  }));
}

/** The plan of each step, or one plan for all when nothing is rehearsed. */
function planSteps(context: Context, boards: readonly TrainInput[], settings: TrainSettings): TrainPlan[] {
  const rehearsed = Array.from({ length: boards[0]?.rehearsals?.length ?? 0 }, (_, e) =>
    boards.map((board) => ({ ...board, batch: board.rehearsals?.[e] ?? board.batch })),
  );
  return [boards, ...rehearsed].map((all) => planTraining(context, all, settings));
}

function planTraining({ k, spec }: Context, boards: readonly TrainInput[], settings: TrainSettings): TrainPlan {
  const classes = spec.classes.length;
  const { size } = (boards[0] as TrainInput).batch;
  const rows = boards.length * size;
  const perWindow = boards.map(({ batch }) => settings.learningRate / Math.max(1, labelledCount(batch)));
  const alignInputs = boards.map(
    ({ batch, prototypes }, g): AlignInput => ({
      ...batch,
      present: batch.sensed ?? batch.present,
      prototypes,
      gain: settings.alignWeight * (perWindow[g] as number),
    }),
  );
  return {
    forward: planForward(k, spec, boards, settings),
    targets: k.constant(joined(boards.map(({ batch }) => oneHot(batch.labels, classes))), [rows, classes]),
    gain: k.constant(joined(boards.map(({ batch }, g) => gains(batch, perWindow[g] as number))), [rows, 1]),
    align: settings.alignWeight === 0 ? null : planAlignment(k, alignInputs, settings),
    rows: k.integers([rows, classes], [2]),
    logits: k.integers([boards.length, size, classes], [3]),
  };
}

function planAlignment(k: Kernels, inputs: readonly AlignInput[], settings: TrainSettings): Alignment | null {
  if (settings.alignLoss === 'distance') return planAlignDistance(k, inputs);
  return planAlign(k, inputs, settings.alignTemperature);
}

interface Proximal {
  readonly start: ParamTensors;
  /** Scalar μ η. */
  readonly pull: Tensor;
}

/** One SGD step of every board. */
function step(k: Kernels, plan: TrainPlan, params: ParamTensors, proximal: Proximal | null): Step {
  const { embeddings, logits, tape } = forward(k, plan.forward, params);
  const { losses, gradient } = k.softmaxCrossEntropy(k.reshape(logits, plan.rows), plan.targets);
  const ofLogits = k.reshape(k.mul(gradient, plan.gain), plan.logits);
  const aligned = plan.align === null ? null : plan.align.apply(embeddings);
  const changes = backward(k, plan.forward, params, tape, ofLogits, aligned === null ? null : aligned.gradient);
  const next = params.map((group, g) => {
    const change = changes[g] ?? null;
    if (change === null) return group;
    return group.map((tensor, i) => {
      const stepped = k.sub(tensor, change[i] as Tensor);
      if (proximal === null) return stepped;
      return k.sub(stepped, k.mul(k.sub(tensor, proximal.start[g]?.[i] as Tensor), proximal.pull));
    });
  });
  return { params: next, embeddings, logits, losses, alignLosses: aligned === null ? null : aligned.losses };
}

function infer({ tf, k, spec, layout }: Context, input: InferInput): InferOutput {
  const { params, prototypes, batch } = input;
  const classes = spec.classes.length;
  const rule = { ...input, fill: input.fill === 'label' ? 'pnr' : input.fill } as const;
  const probabilities = new Float32Array(batch.size * classes);
  const embeddings = spec.modalities.map(() => new Float32Array(batch.size * spec.embedding));
  for (let from = 0; from < batch.size; from += SLICE) {
    const slice = sliceBatch(batch, from, Math.min(from + SLICE, batch.size));
    const part = tidied(tf, () => {
      const plan = planForward(k, spec, [{ batch: slice, prototypes }], rule);
      const out = forward(k, plan, toTensors(k, layout, [params]));
      return { probabilities: read(k.softmax(out.logits)), embeddings: read(out.embeddings) };
    });
    probabilities.set(part.probabilities, from * classes);
    for (const [m, own] of perModality(part.embeddings, spec).entries()) {
      embeddings[m]?.set(own, from * spec.embedding);
    }
  }
  return { probabilities, embeddings };
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

function toTensors(k: Kernels, layout: ParamLayout, boards: readonly Float32Array[]): ParamTensors {
  return layout.groups.map(({ tensors }) =>
    tensors.map(({ offset, size, shape }) => {
      const values = joined(boards.map((params) => params.subarray(offset, offset + size)));
      return k.constant(values, [boards.length, ...(shape.length === 1 ? [1] : []), ...shape]);
    }),
  );
}

/** New flat vectors, one per board. `before` is where the tensors of encoders that did not run still are what they were. */
function toFlat(layout: ParamLayout, params: ParamTensors, before: readonly Float32Array[]): Float32Array[] {
  const flat = before.map((own) => Float32Array.from(own));
  for (const [g, { tensors }] of layout.groups.entries()) {
    for (const [i, { offset }] of tensors.entries()) {
      for (const [board, own] of perBoard(read(params[g]?.[i] as Tensor), before.length).entries()) {
        flat[board]?.set(own, offset);
      }
    }
  }
  return flat;
}

function read(tensor: Tensor): Float32Array {
  return tensor.dataSync<'float32'>();
}

/** Equal parts, views of `values`. */
function perBoard(values: Float32Array, boards: number): Float32Array[] {
  const each = values.length / boards;
  return Array.from({ length: boards }, (_, g) => values.subarray(g * each, (g + 1) * each));
}

/** `[B, M·d]` → M × `[B, d]` */
function perModality(together: Float32Array, { modalities, embedding }: ModelSpec): Float32Array[] {
  const stride = modalities.length * embedding;
  const size = together.length / stride;
  return modalities.map((_, m) => {
    const own = new Float32Array(size * embedding);
    for (let b = 0; b < size; b++) {
      const start = b * stride + m * embedding;
      own.set(together.subarray(start, start + embedding), b * embedding);
    }
    return own;
  });
}

/** Per board `[E]` total losses: means over its labelled windows. */
function perBoardLosses(
  steps: readonly Step[],
  boards: readonly TrainInput[],
  plans: readonly TrainPlan[],
  { alignWeight }: TrainSettings,
): Float32Array[] {
  const losses = boards.map(() => new Float32Array(steps.length));
  for (const [e, done] of steps.entries()) {
    const ofHead = perBoard(read(done.losses), boards.length);
    const ofAlign = done.alignLosses === null ? null : perBoard(read(done.alignLosses), boards.length);
    const align = (plans[e] ?? plans[0])?.align ?? null;
    const counts = align === null ? null : perBoard(align.counts, boards.length);
    for (const [g, { batch }] of boards.entries()) {
      let sum = 0;
      ofHead[g]?.forEach((loss, b) => {
        if ((batch.labels[b] as number) >= 0) sum += loss;
      });
      ofAlign?.[g]?.forEach((loss, i) => {
        sum += alignWeight * loss * (counts?.[g]?.[i] as number);
      });
      (losses[g] as Float32Array)[e] = sum / Math.max(1, labelledCount(batch));
    }
  }
  return losses;
}

function labelledCount({ labels }: Batch): number {
  return labels.reduce((sum, label) => sum + (label < 0 ? 0 : 1), 0);
}

function gains({ labels }: Batch, gain: number): Float32Array {
  return Float32Array.from(labels, (label) => (label < 0 ? 0 : gain));
}

function oneHot(labels: Int32Array, classes: number): Float32Array {
  const rows = new Float32Array(labels.length * classes);
  for (const [i, label] of labels.entries()) if (label >= 0) rows[i * classes + label] = 1;
  return rows;
}
