/**
 * What comes down from the aggregator, and boards' status: bytes → checked plain data, or a reason. Never throws.
 * A board that believes a broken plan or model learns nonsense until the next one, so these are checked like updates:
 * closed lists of words, every bound of `limits.ts`, every real finite. Wire contract: qqr.proto.
 */
import { TEMPERATURE_RANGE } from '../model/global-state.ts';
import type { Normalization } from '../qqr/normalization.ts';
import { unpackFloat32, unpackFloat64 } from '../quant/raw.ts';
import { checkPlan } from './check-plan.ts';
import type { DeviceStatus, GlobalModel, GlobalPrototypes, Receipt, RoundClosed, RoundPlan } from './downlink.ts';
import { saidEpoch } from './epoch.ts';
import { type Decoded, parseFrame, refuse } from './frame.ts';
import * as pb from './gen/qqr_pb.ts';
import { MAX_BOARDS, MAX_CLASSES, MAX_EMBEDDING, MAX_MODALITIES, MAX_PAYLOAD_BYTES } from './limits.ts';
import { isName } from './topics.ts';
import { REJECT_REASONS } from './update.ts';

/** `round/current`. The spec and settings of the value are within all bounds of qqr.proto. */
export function decodeRoundPlan(payload: Uint8Array, maxBytes = MAX_PAYLOAD_BYTES): Decoded<RoundPlan> {
  const frame = parseFrame(pb.RoundPlanSchema, payload, maxBytes);
  if (!frame.ok) return frame;
  return checkPlan(frame.value);
}

/** `global/model`. Compare `shapeHash` and the length of `params` with the plan's model before use. */
export function decodeGlobalModel(payload: Uint8Array, maxBytes = MAX_PAYLOAD_BYTES): Decoded<GlobalModel> {
  const frame = parseFrame(pb.GlobalModelSchema, payload, maxBytes);
  if (!frame.ok) return frame;
  const { round, version, shapeHash } = frame.value;
  if (frame.value.params.length % 4 !== 0) return refuse('malformed', 'params end inside a value');
  const params = unpackFloat32(frame.value.params);
  if (!params.every(Number.isFinite)) return refuse('not-finite', 'a parameter');
  const normalization = toNormalization(frame.value.normalization);
  if (!normalization.ok) return normalization;
  const said = saidEpoch(frame.value.epoch);
  return { ok: true, value: { round, version, shapeHash, params, normalization: normalization.value, ...said } };
}

/** `global/prototypes`. */
export function decodeGlobalPrototypes(payload: Uint8Array, maxBytes = MAX_PAYLOAD_BYTES): Decoded<GlobalPrototypes> {
  const frame = parseFrame(pb.GlobalPrototypesSchema, payload, maxBytes);
  if (!frame.ok) return frame;
  const { round, version, shapeHash, modalities, classes, dim, temperature } = frame.value;
  if (modalities > MAX_MODALITIES || classes > MAX_CLASSES || dim > MAX_EMBEDDING) {
    return refuse('out-of-range', `prototypes of ${modalities} × ${classes} × ${dim}`);
  }
  const cells = modalities * classes;
  if (frame.value.values.length !== 4 * cells * dim || frame.value.weights.length !== 8 * cells) {
    return refuse('malformed', `prototypes are not ${modalities} × ${classes} × ${dim}`);
  }
  const values = unpackFloat32(frame.value.values);
  const weight = unpackFloat64(frame.value.weights);
  if (!values.every(Number.isFinite) || !weight.every(Number.isFinite)) return refuse('not-finite', 'a prototype');
  if (!weight.every((w) => w >= 0)) return refuse('out-of-range', 'a negative weight');
  const [least, most] = TEMPERATURE_RANGE;
  if (!(temperature >= least && temperature <= most)) return refuse('out-of-range', `a temperature of ${temperature}`);
  const prototypes = { modalities, classes, dim, values, weight };
  return { ok: true, value: { round, version, shapeHash, prototypes, temperature, ...saidEpoch(frame.value.epoch) } };
}

/** `round/closed`. */
export function decodeRoundClosed(payload: Uint8Array, maxBytes = MAX_PAYLOAD_BYTES): Decoded<RoundClosed> {
  const frame = parseFrame(pb.RoundClosedSchema, payload, maxBytes);
  if (!frame.ok) return frame;
  const { round, accepted } = frame.value;
  if (accepted.length > MAX_BOARDS) return refuse('out-of-range', `${accepted.length} keys in one round`);
  if (!accepted.every((key) => isName(key.device))) return refuse('malformed', 'a key without a device');
  if (accepted.some(({ lateBy }) => lateBy > round)) return refuse('out-of-range', 'a key of a round before the first');
  return {
    ok: true,
    value: {
      round,
      accepted: accepted.map(({ device, seq, lateBy }) => ({ device, seq, ...(lateBy > 0 && { lateBy }) })),
      ...saidEpoch(frame.value.epoch),
    },
  };
}

const VERDICTS = ['accepted', 'duplicate', 'rejected'] as const;

/** `receipt/<device>`. */
export function decodeReceipt(payload: Uint8Array, maxBytes = MAX_PAYLOAD_BYTES): Decoded<Receipt> {
  const frame = parseFrame(pb.ReceiptSchema, payload, maxBytes);
  if (!frame.ok) return frame;
  const { round, seq, final } = frame.value;
  const verdict = VERDICTS.find((known) => known === frame.value.verdict);
  if (verdict === undefined) return refuse('malformed', 'an unknown verdict');
  const reason = REJECT_REASONS.find((known) => known === frame.value.reason) ?? null;
  const isReasonRight = verdict === 'rejected' ? reason !== null : frame.value.reason === '';
  if (!isReasonRight) return refuse('malformed', `a reason that does not go with '${verdict}'`);
  return { ok: true, value: { round, seq, verdict, reason, final, ...saidEpoch(frame.value.epoch) } };
}

const STATES = ['online', 'finished', 'offline'] as const;

/** `status/<device>`; `device` is the topic's. */
export function decodeStatus(payload: Uint8Array, device: string, maxBytes = MAX_PAYLOAD_BYTES): Decoded<DeviceStatus> {
  const frame = parseFrame(pb.DeviceStatusSchema, payload, maxBytes);
  if (!frame.ok) return frame;
  const { modalities } = frame.value;
  if (frame.value.device !== device) return refuse('wrong-device', 'the payload names another device than its topic');
  const state = STATES.find((known) => known === frame.value.state);
  if (state === undefined) return refuse('malformed', 'an unknown state');
  if (modalities.length > MAX_MODALITIES || !modalities.every(isName))
    return refuse('malformed', 'names of modalities');
  const at = { ...saidEpoch(frame.value.epoch), ...(frame.value.round !== undefined && { round: frame.value.round }) };
  return { ok: true, value: { device, state, modalities, ...at } };
}

function toNormalization(scales: readonly pb.ChannelScale[]): Decoded<Normalization | null> {
  if (scales.length === 0) return { ok: true, value: null };
  if (scales.length > MAX_MODALITIES) return refuse('out-of-range', `a scale for ${scales.length} modalities`);
  if (!scales.every((s) => s.mean.length === s.std.length && s.mean.length % 4 === 0)) {
    return refuse('malformed', 'a scale whose means and deviations differ in number');
  }
  const mean = scales.map((scale) => unpackFloat32(scale.mean));
  const std = scales.map((scale) => unpackFloat32(scale.std));
  if (![...mean, ...std].every((values) => values.every(Number.isFinite)))
    return refuse('not-finite', 'the normalization');
  if (!std.every((values) => values.every((value) => value > 0)))
    return refuse('out-of-range', 'a deviation that is not above 0');
  return { ok: true, value: { mean, std } };
}
