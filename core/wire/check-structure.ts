/**
 * Structure of a parsed update against what was asked: everything there in the right number, every index and count in its
 * range, every array as long as its shape says. Looks at lengths and integers only; reals come after (`check-values.ts`).
 * Reasons: 'malformed' for shape, 'out-of-range' for counts and weights.
 */
import type { ModelSpec } from '../model/spec.ts';
import { WHYS } from '../qqr/quality.ts';
import { isBits } from '../quant/affine.ts';
import { scaleCount } from '../quant/coded.ts';
import { isCleanlyPacked, packedBytes } from '../quant/pack.ts';
import { type Refusal, refuse } from './frame.ts';
import type * as pb from './gen/qqr_pb.ts';
import { CONFIDENCE_UNITS, MAX_BACKLOG, MAX_WINDOWS, WEIGHT_PER_WINDOW } from './limits.ts';

/** The parameter tensors of one group, in order, as numbers of values (`params.ts` has the whole layout). */
export interface GroupShape {
  /** Index of the modality, or −1 for the fusion head. */
  readonly group: number;
  readonly sizes: readonly number[];
}

/** What the round asks for. */
export interface Asked {
  readonly kind: 'statistics' | 'training';
  readonly spec: ModelSpec;
  readonly layout: readonly GroupShape[];
  /** Windows that the round uses at most: who claims more would weigh more. Default MAX_WINDOWS. */
  readonly maxWindows?: number;
}

/** First fault of `message`, or null. */
export function checkStructure(message: pb.Update, expect: Asked): Refusal | null {
  return (
    checkCounts(message, expect) ??
    checkModalities(message, expect) ??
    (expect.kind === 'statistics' && (message.model.length > 0 || message.coded !== undefined)
      ? refuse('malformed', 'a model in the statistics round')
      : (checkModel(message.model, expect) ?? checkCoded(message, expect)))
  );
}

function checkCounts({ windows, backlog, online }: pb.Update, { maxWindows = MAX_WINDOWS }: Asked): Refusal | null {
  if (windows < 1 || windows > maxWindows)
    return refuse('out-of-range', `${windows} windows, 1 to ${maxWindows} are possible`);
  if (backlog > MAX_BACKLOG) return refuse('out-of-range', `a backlog of ${backlog} windows`);
  if (online === undefined) return refuse('malformed', 'online is missing');
  if (online.correct > online.count || online.count > windows) {
    return refuse('out-of-range', `${online.correct} correct of ${online.count} predictions on ${windows} windows`);
  }
  if (Math.abs(online.overconfidence) > CONFIDENCE_UNITS * online.count)
    return refuse('out-of-range', `an overconfidence of ${online.overconfidence} in ${online.count} predictions`);
  return null;
}

function checkModalities(message: pb.Update, { spec, kind }: Asked): Refusal | null {
  if (message.modalities.length !== spec.modalities.length) {
    return refuse('malformed', `${message.modalities.length} modalities, expected ${spec.modalities.length}`);
  }
  for (const [m, report] of message.modalities.entries()) {
    const where = `modalities[${m}]`;
    if (report.windowsPresent > message.windows) {
      return refuse('out-of-range', `${where}: present in ${report.windowsPresent} of ${message.windows} windows`);
    }
    if (report.weight > WEIGHT_PER_WINDOW * report.windowsPresent) {
      return refuse('out-of-range', `${where}: weight ${report.weight} from ${report.windowsPresent} windows`);
    }
    if (report.prototypes !== undefined && kind === 'statistics')
      return refuse('malformed', `${where}: prototypes in the statistics round`);
    if (report.sums !== undefined && kind === 'training')
      return refuse('malformed', `${where}: channel sums in a training round`);
    if (report.why !== '' && !WHYS.some((known) => known === report.why))
      return refuse('malformed', `${where}: an unknown reason`);
    const fault = checkPrototypes(report, spec, where) ?? checkSums(report, spec, m, where);
    if (fault !== null) return fault;
  }
  return null;
}

function checkPrototypes(
  { prototypes, windowsPresent }: pb.ModalityReport,
  spec: ModelSpec,
  where: string,
): Refusal | null {
  if (prototypes === undefined) return null;
  const { classes, weights, values } = prototypes;
  if (weights.length !== classes.length)
    return refuse('malformed', `${where}: ${classes.length} classes, ${weights.length} weights`);
  let previous = -1;
  for (const index of classes) {
    if (index <= previous || index >= spec.classes.length)
      return refuse('malformed', `${where}: class ${index} after ${previous}`);
    previous = index;
  }
  let total = 0;
  for (const weight of weights) {
    if (weight < 1) return refuse('out-of-range', `${where}: a prototype of weight 0`);
    total += weight;
  }
  if (total > WEIGHT_PER_WINDOW * windowsPresent) {
    return refuse('out-of-range', `${where}: prototypes of weight ${total} from ${windowsPresent} windows`);
  }
  return checkQuantized(values, classes.length * spec.embedding, `${where}.prototypes`);
}

function checkSums(
  { sums, windowsPresent }: pb.ModalityReport,
  spec: ModelSpec,
  m: number,
  where: string,
): Refusal | null {
  if (sums === undefined) return null;
  const { channels, samples } = spec.modalities[m] as ModelSpec['modalities'][number];
  if (sums.sum.length !== channels.length || sums.sumSquares.length !== channels.length) {
    return refuse(
      'malformed',
      `${where}: ${sums.sum.length} and ${sums.sumSquares.length} sums of ${channels.length} channels`,
    );
  }
  return sums.count > windowsPresent * samples
    ? refuse('out-of-range', `${where}: ${sums.count} samples in ${windowsPresent} windows of ${samples}`)
    : null;
}

function checkModel(model: readonly pb.GroupDelta[], { layout }: Asked): Refusal | null {
  const seen = new Set<number>();
  for (const { group, tensors } of model) {
    const shape = layout.find((known) => known.group === group);
    if (shape === undefined) return refuse('malformed', `group ${group} does not exist`);
    if (seen.has(group)) return refuse('malformed', `group ${group} twice`);
    seen.add(group);
    if (tensors.length !== shape.sizes.length) {
      return refuse('malformed', `group ${group}: ${tensors.length} tensors, expected ${shape.sizes.length}`);
    }
    for (const [i, tensor] of tensors.entries()) {
      const fault = checkQuantized(tensor, shape.sizes[i] as number, `group ${group}, tensor ${i}`);
      if (fault !== null) return fault;
    }
  }
  return null;
}

/** All but the body, which can only be checked by reading it (`checkDelta`). */
function checkCoded({ coded, model }: pb.Update, { layout }: Asked): Refusal | null {
  if (coded === undefined) return null;
  if (model.length > 0) return refuse('malformed', 'a coded model beside a plain one');
  const { groups, bits, sparse, scales } = coded;
  if (groups.length === 0) return refuse('malformed', 'a coded model of nothing');
  let previous = -1;
  const sizes: number[] = [];
  for (const group of groups) {
    const index = layout.findIndex((known) => known.group === group);
    if (index <= previous) return refuse('malformed', `group ${group} does not exist or is out of order`);
    sizes.push(...(layout[index] as GroupShape).sizes);
    previous = index;
  }
  if (!isBits(bits) || bits === 32) return refuse('malformed', `a coded model of ${bits} bits`);
  const expected = 4 * scaleCount(sparse, sizes);
  return scales.length === expected
    ? null
    : refuse('malformed', `${scales.length} bytes of scales, expected ${expected}`);
}

function checkQuantized(quantized: pb.Quantized | undefined, length: number, where: string): Refusal | null {
  if (quantized === undefined) return refuse('malformed', `${where}: values are missing`);
  const { bits, lo, step, packed } = quantized;
  if (!isBits(bits)) return refuse('malformed', `${where}: ${bits} bits`);
  const expected = packedBytes(length, bits);
  if (packed.length !== expected) return refuse('malformed', `${where}: ${packed.length} bytes, expected ${expected}`);
  if (bits === 32) return lo === 0 && step === 0 ? null : refuse('malformed', `${where}: lo and step beside float32`);
  return isCleanlyPacked(packed, bits, length) ? null : refuse('malformed', `${where}: bits behind the last code`);
}
