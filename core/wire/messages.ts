/**
 * Plain data → Protocol Buffers. The proto file is the contract; this file and the decoders are its only speakers here.
 * Encoders expect what the types say and throw on a defect of the caller (an integer out of uint32, a bad UTF-16 string);
 * they do not judge values, the receiver does (`decode.ts`).
 * Encoding is deterministic: equal data gives equal bytes.
 */
import { create, type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import type { GlobalState } from '../model/global-state.ts';
import type { Normalization } from '../qqr/normalization.ts';
import type { PrototypeSet } from '../qqr/prototype.ts';
import type { Quantized } from '../quant/affine.ts';
import { packFloat32, packFloat64 } from '../quant/raw.ts';
import type { DeviceStatus, Receipt, RoundClosed, RoundPlan } from './downlink.ts';
import { type Epoch, epochField } from './epoch.ts';
import * as pb from './gen/qqr_pb.ts';
import { PROTOCOL } from './limits.ts';
import type { CodedModel, GroupDelta, ModalityReport, QuantizedPrototypes, Update } from './update.ts';

export function encodeUpdate(update: Update): Uint8Array {
  const { online, modalities, model, coded, epoch, ...rest } = update;
  return binary(pb.UpdateSchema, {
    ...rest,
    protocol: PROTOCOL,
    online: create(pb.OnlineSchema, online),
    modalities: modalities.map(toModalityReport),
    model: model.map(toGroupDelta),
    ...(coded !== null && { coded: toCodedModel(coded) }),
    epoch: epochField(epoch),
  });
}

/** Bytes of an update's parts. */
export interface PartSizes {
  /** Prototype submessages of all modalities, with their tags and lengths. */
  readonly prototypes: number;
  /** Model groups, plain or coded, with their tags and lengths. */
  readonly model: number;
  /** The whole payload. */
  readonly payload: number;
  /** What the same content takes as bare float32: prototypes k · d each, and the full model whenever a model travels. */
  readonly fp32: number;
}

/** Sizes of `update` on the wire; `paramCount` is the number of parameters of the full model. */
export function sizeOfParts(update: Update, paramCount: number): PartSizes {
  let prototypes = 0;
  const { coded } = update;
  let fp32 = update.model.length > 0 || coded !== null ? 4 * paramCount : 0;
  for (const { prototypes: sent } of update.modalities) {
    if (sent === null) continue;
    prototypes += fieldBytes(toBinary(pb.PrototypesSchema, toPrototypes(sent)).length);
    fp32 += 4 * sent.values.length;
  }
  let model = coded === null ? 0 : fieldBytes(toBinary(pb.CodedModelSchema, toCodedModel(coded)).length);
  for (const group of update.model) model += fieldBytes(toBinary(pb.GroupDeltaSchema, toGroupDelta(group)).length);
  return { prototypes, model, payload: encodeUpdate(update).length, fp32 };
}

export function encodeStatus(status: DeviceStatus): Uint8Array {
  const epoch = epochField(status.epoch);
  return binary(pb.DeviceStatusSchema, { ...status, protocol: PROTOCOL, modalities: [...status.modalities], epoch });
}

export function encodeRoundPlan(plan: RoundPlan): Uint8Array {
  const { spec, settings, maxUpdateBytes = 0, lateRounds = 0, epoch, ...rest } = plan;
  return binary(pb.RoundPlanSchema, {
    ...rest,
    lateRounds,
    maxUpdateBytes,
    protocol: PROTOCOL,
    epoch: epochField(epoch),
    spec: create(pb.ModelSpecSchema, {
      modalities: spec.modalities.map((m) => create(pb.ModalitySpecSchema, { ...m, channels: [...m.channels] })),
      classes: [...spec.classes],
      conv: spec.conv.map((layer) => create(pb.ConvLayerSchema, layer)),
      embedding: spec.embedding,
      hidden: spec.hidden,
      windowStatistics: spec.windowStatistics,
    }),
    settings: create(pb.TrainSettingsSchema, settings),
  });
}

/** Both retained broadcasts of one state; `about` says which round made it, in which epoch and for which shape. */
export function encodeGlobal(
  state: GlobalState,
  about: { readonly round: number; readonly shapeHash: number; readonly epoch?: Epoch },
): { model: Uint8Array; prototypes: Uint8Array } {
  const { round, shapeHash, epoch } = about;
  const head = { protocol: PROTOCOL, round, version: state.version, shapeHash, epoch: epochField(epoch) };
  const { modalities, classes, dim, weight } = state.prototypes;
  return {
    model: binary(pb.GlobalModelSchema, {
      ...head,
      params: packFloat32(state.params),
      normalization: state.normalization === null ? [] : toChannelScales(state.normalization),
    }),
    prototypes: binary(pb.GlobalPrototypesSchema, {
      ...head,
      modalities,
      classes,
      dim,
      values: packFloat32(seenValues(state.prototypes)),
      weights: packFloat64(weight),
      temperature: state.temperature,
    }),
  };
}

export function encodeRoundClosed(closed: RoundClosed): Uint8Array {
  return binary(pb.RoundClosedSchema, {
    protocol: PROTOCOL,
    round: closed.round,
    accepted: closed.accepted.map((key) => create(pb.AcceptedKeySchema, key)),
    epoch: epochField(closed.epoch),
  });
}

export function encodeReceipt(receipt: Receipt): Uint8Array {
  const { reason, epoch, ...rest } = receipt;
  return binary(pb.ReceiptSchema, { ...rest, protocol: PROTOCOL, reason: reason ?? '', epoch: epochField(epoch) });
}

function binary<S extends DescMessage>(schema: S, fields: Omit<MessageShape<S>, '$typeName'>): Uint8Array {
  return toBinary(schema, create(schema, fields as MessageShape<S>));
}

function toModalityReport(report: ModalityReport): pb.ModalityReport {
  const { prototypes, sums, why, ...counts } = report;
  return create(pb.ModalityReportSchema, {
    ...counts,
    ...(why !== null && { why }),
    ...(prototypes !== null && { prototypes: toPrototypes(prototypes) }),
    ...(sums !== null && { sums: { count: sums.count, sum: [...sums.sum], sumSquares: [...sums.sumSquares] } }),
  });
}

function toPrototypes({ classes, weights, values }: QuantizedPrototypes): pb.Prototypes {
  return create(pb.PrototypesSchema, { classes: [...classes], weights: [...weights], values: toQuantized(values) });
}

function toGroupDelta({ group, tensors }: GroupDelta): pb.GroupDelta {
  return create(pb.GroupDeltaSchema, { group, tensors: tensors.map(toQuantized) });
}

function toCodedModel({ groups, bits, sparse, scales, body }: CodedModel): pb.CodedModel {
  return create(pb.CodedModelSchema, { groups: [...groups], bits, sparse, scales: packFloat32(scales), body });
}

function toQuantized({ bits, lo, step, packed }: Quantized): pb.Quantized {
  return create(pb.QuantizedSchema, { bits, lo, step, packed });
}

function toChannelScales({ mean, std }: Normalization): pb.ChannelScale[] {
  return mean.map((of, m) =>
    create(pb.ChannelScaleSchema, { mean: packFloat32(of), std: packFloat32(std[m] as Float32Array) }),
  );
}

/** The values with zeros where nothing was seen, so that undefined memory never travels. */
function seenValues({ values, weight, dim }: PrototypeSet): Float32Array {
  return values.map((value, i) => ((weight[Math.floor(i / dim)] as number) > 0 ? value : 0));
}

/** Bytes of a length-delimited field with a one-byte tag (field numbers below 16). */
function fieldBytes(length: number): number {
  return 1 + varintBytes(length) + length;
}

function varintBytes(value: number): number {
  return value < 0x80 ? 1 : 1 + varintBytes(Math.floor(value / 0x80));
}
