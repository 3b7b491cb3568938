/**
 * An update's way in: bytes from a stranger → a checked `Update`, or a reason. Never throws, builds nothing of a size that
 * the payload only claims. The order is part of the contract (a counter per reason is only worth something when the first
 * failing check is always the same one):
 *   size → frame → protocol → device → epoch → shape hash → round → version → structure → finite → ranges → coded body → norm.
 * What passes satisfies every limit of `limits.ts`, so that the aggregator's sums are exact. Wire contract: qqr.proto.
 */
import { WHYS } from '../qqr/quality.ts';
import type { Quantized } from '../quant/affine.ts';
import { unpackFloat32 } from '../quant/raw.ts';
import { type Asked, checkStructure, type GroupShape } from './check-structure.ts';
import { checkValues } from './check-values.ts';
import { type Epoch, isSameEpoch, saidEpoch } from './epoch.ts';
import { parseFrame, type Refusal, refuse } from './frame.ts';
import * as pb from './gen/qqr_pb.ts';
import type { UpdateLimits } from './limits.ts';
import type { CodedModel, GroupDelta, ModalityReport, Update } from './update.ts';

/** What the aggregator asked for: an update that does not fit is refused. */
export interface UpdateExpectation extends Asked {
  /** Device of the topic. */
  readonly device: string;
  readonly shapeHash: number;
  readonly round: number;
  readonly modelVersion: number;
  readonly limits: UpdateLimits;
  /** The aggregator's; left out: any. An update that does not say is taken, too: programs of before epochs send such. */
  readonly epoch?: Epoch;
}

/** A refusal with the key that the payload claims, for the receipt; null when it could not be read. */
export interface UpdateRefusal extends Refusal {
  readonly key: { readonly round: number; readonly seq: number } | null;
}

/** Decodes and checks one `up/<device>` payload. The update owns its memory; `payload` may be reused. */
export function decodeUpdate(
  payload: Uint8Array,
  expect: UpdateExpectation,
): { readonly ok: true; readonly value: Update } | UpdateRefusal {
  const frame = parseFrame(pb.UpdateSchema, payload, expect.limits.maxPayloadBytes);
  if (!frame.ok) return { ...frame, key: null };
  const message = frame.value;
  const key = { round: message.round, seq: message.seq };
  const misfit = checkAddress(message, expect) ?? checkStructure(message, expect);
  if (misfit !== null) return { ...misfit, key };
  const update = toUpdate(message, expect);
  const fault = checkValues(update, expect);
  return fault === null ? { ok: true, value: update } : { ...fault, key };
}

function checkAddress(message: pb.Update, expect: UpdateExpectation): Refusal | null {
  if (message.device !== expect.device)
    return refuse('wrong-device', 'the payload names another device than its topic');
  const { epoch } = saidEpoch(message.epoch);
  if (!isSameEpoch(epoch, expect.epoch)) return refuse('wrong-epoch', `epoch ${epoch}, expected ${expect.epoch}`);
  if (message.shapeHash !== expect.shapeHash)
    return refuse('wrong-shape', mismatch('shape hash', message, expect, 'shapeHash'));
  if (message.round !== expect.round) return refuse('wrong-round', mismatch('round', message, expect, 'round'));
  if (message.modelVersion !== expect.modelVersion) {
    return refuse('wrong-version', mismatch('model version', message, expect, 'modelVersion'));
  }
  return null;
}

function mismatch(
  what: string,
  message: pb.Update,
  expect: UpdateExpectation,
  key: 'shapeHash' | 'round' | 'modelVersion',
): string {
  return `${what} ${message[key]}, expected ${expect[key]}`;
}

/** After `checkStructure`: everything is there in the right number. */
function toUpdate(message: pb.Update, { spec, layout }: UpdateExpectation): Update {
  const { device, round, seq, modelVersion, shapeHash, windows, backlog, ended, online } = message;
  const { correct, count, lossSum, overconfidence } = online as pb.Online;
  return {
    ...{ device, round, seq, modelVersion, shapeHash, windows, backlog, ended },
    online: { correct, count, lossSum, overconfidence },
    modalities: message.modalities.map((report) => toModalityReport(report, spec.embedding)),
    model: message.model.map((delta) => toGroupDelta(delta, layout)),
    coded: message.coded === undefined ? null : toCodedModel(message.coded),
    ...saidEpoch(message.epoch),
  };
}

function toModalityReport(report: pb.ModalityReport, dim: number): ModalityReport {
  const { windowsPresent, meanQuality, weight, prototypes, sums } = report;
  return {
    ...{ windowsPresent, meanQuality, weight },
    prototypes: prototypes === undefined ? null : toPrototypes(prototypes, dim),
    sums: sums === undefined ? null : { count: sums.count, sum: sums.sum, sumSquares: sums.sumSquares },
    why: WHYS.find((known) => known === report.why) ?? null,
  };
}

function toPrototypes({ classes, weights, values }: pb.Prototypes, dim: number): ModalityReport['prototypes'] {
  return { classes, weights, values: toQuantized(values as pb.Quantized, classes.length * dim) };
}

function toGroupDelta({ group, tensors }: pb.GroupDelta, layout: readonly GroupShape[]): GroupDelta {
  const shape = layout.find((known) => known.group === group) as GroupShape;
  return { group, tensors: tensors.map((tensor, i) => toQuantized(tensor, shape.sizes[i] as number)) };
}

function toCodedModel({ groups, bits, sparse, scales, body }: pb.CodedModel): CodedModel {
  return { groups, bits, sparse, scales: unpackFloat32(scales), body: new Uint8Array(body) };
}

function toQuantized({ bits, lo, step, packed }: pb.Quantized, length: number): Quantized {
  return { bits, length, lo, step, packed: new Uint8Array(packed) };
}
