/**
 * A parsed round plan → plain data within every bound of qqr.proto. A board builds its network and its buffers from these
 * numbers, so each is bounded before anything is allocated by it.
 */
import {
  type AlignLoss,
  canBeSparse,
  type Fill,
  isStableCode,
  type ModelCode,
  type PrototypeCode,
  type TrainSettings,
} from '../model/settings.ts';
import type { ModalitySpec, ModelSpec } from '../model/spec.ts';
import { isBits } from '../quant/affine.ts';
import type { RoundPlan } from './downlink.ts';
import { saidEpoch } from './epoch.ts';
import { type Decoded, refuse } from './frame.ts';
import type * as pb from './gen/qqr_pb.ts';
import * as limits from './limits.ts';

const KINDS = ['statistics', 'training', 'finished'] as const;
const FILLS = ['zero-input', 'zero-embedding', 'pnr', 'label'] as const satisfies readonly Fill[];
const ALIGN_LOSSES = ['contrastive', 'distance'] as const satisfies readonly AlignLoss[];
const MODEL_CODES = ['packed', 'affine', 'stochastic', 'sign'] as const satisfies readonly ModelCode[];
const PROTOTYPE_CODES = ['affine', 'stochastic'] as const satisfies readonly PrototypeCode[];

/** Refuses 'malformed' for unknown words and missing parts, 'out-of-range' for numbers out of bounds. */
export function checkPlan(message: pb.RoundPlan): Decoded<RoundPlan> {
  const { round, modelVersion, deadlineMs, lateRounds, maxUpdateBytes } = message;
  if (lateRounds > limits.MAX_LATE_ROUNDS) return refuse('out-of-range', `updates ${lateRounds} rounds late`);
  const kind = KINDS.find((known) => known === message.kind);
  if (kind === undefined) return refuse('malformed', 'an unknown kind of round');
  if (message.spec === undefined || message.settings === undefined)
    return refuse('malformed', 'spec or settings are missing');
  const spec = toSpec(message.spec);
  if (!spec.ok) return spec;
  const settings = toSettings(message.settings);
  if (!settings.ok) return settings;
  const plan = { round, kind, modelVersion, deadlineMs, spec: spec.value, settings: settings.value };
  const terms = { ...(lateRounds > 0 && { lateRounds }), ...(maxUpdateBytes > 0 && { maxUpdateBytes }) };
  return { ok: true, value: { ...plan, ...terms, ...saidEpoch(message.epoch) } };
}

function toSpec(message: pb.ModelSpec): Decoded<ModelSpec> {
  const { modalities, classes, conv, embedding, hidden, windowStatistics } = message;
  if (!isWithin(modalities.length, 1, limits.MAX_MODALITIES))
    return refuse('out-of-range', `${modalities.length} modalities`);
  if (!areTexts(modalities.map((modality) => modality.name))) return refuse('malformed', 'names of modalities');
  if (!isWithin(classes.length, 1, limits.MAX_CLASSES)) return refuse('out-of-range', `${classes.length} classes`);
  if (!areTexts(classes)) return refuse('malformed', 'names of classes');
  if (!isWithin(conv.length, 1, limits.MAX_CONV_LAYERS)) return refuse('out-of-range', `${conv.length} layers`);
  const sizes = conv.flatMap((layer) => [layer.filters, layer.kernel, layer.stride]);
  if (![...sizes, hidden].every((size) => isWithin(size, 1, limits.MAX_LAYER_SIZE)))
    return refuse('out-of-range', 'a size of a layer');
  if (!isWithin(embedding, 1, limits.MAX_EMBEDDING)) return refuse('out-of-range', `an embedding of ${embedding}`);
  const checked: ModalitySpec[] = [];
  for (const modality of modalities) {
    const one = toModality(modality);
    if (!one.ok) return one;
    checked.push(one.value);
  }
  const layers = conv.map(({ filters, kernel, stride }) => ({ filters, kernel, stride }));
  return { ok: true, value: { modalities: checked, classes, conv: layers, embedding, hidden, windowStatistics } };
}

function toModality({ name, unit, channels, sampleRateHz, samples }: pb.ModalitySpec): Decoded<ModalitySpec> {
  if (!areTexts([unit])) return refuse('malformed', 'a unit');
  if (!isWithin(channels.length, 1, limits.MAX_CHANNELS) || !areTexts(channels))
    return refuse('malformed', 'names of channels');
  if (!(sampleRateHz > 0 && sampleRateHz <= limits.MAX_RATE_HZ)) return refuse('out-of-range', `${sampleRateHz} Hz`);
  if (!isWithin(samples, 1, limits.MAX_SAMPLES)) return refuse('out-of-range', `windows of ${samples} samples`);
  return { ok: true, value: { name, unit, channels, sampleRateHz, samples } };
}

function toSettings(message: pb.TrainSettings): Decoded<TrainSettings> {
  const { $typeName, $unknown, ...settings } = message;
  const fill = FILLS.find((known) => known === settings.fill);
  if (fill === undefined) return refuse('malformed', 'an unknown way to fill');
  const alignLoss = ALIGN_LOSSES.find((known) => known === settings.alignLoss);
  if (alignLoss === undefined) return refuse('malformed', 'an unknown way to align');
  const modelCode = MODEL_CODES.find((known) => known === settings.modelCode);
  const prototypeCode = PROTOTYPE_CODES.find((known) => known === settings.prototypeCode);
  if (modelCode === undefined || prototypeCode === undefined) return refuse('malformed', 'an unknown code');
  if (!areTexts([settings.strategy])) return refuse('malformed', 'the name of the strategy');
  const isPositive = (value: number) => value > 0 && Number.isFinite(value);
  if (!isPositive(settings.learningRate)) return refuse('out-of-range', `a learning rate of ${settings.learningRate}`);
  if (!isPositive(settings.fillTemperature) || !isPositive(settings.alignTemperature))
    return refuse('out-of-range', 'a temperature');
  if (settings.alignWeight !== 0 && !isPositive(settings.alignWeight))
    return refuse('out-of-range', 'the weight of alignment');
  if (!isWithin(settings.evidenceWeight, 0, 100)) return refuse('out-of-range', 'the weight of evidence');
  if (!isWithin(settings.gateWeight, 0, 1)) return refuse('out-of-range', 'the weight of a second opinion');
  if (settings.proximalWeight !== 0 && !isPositive(settings.proximalWeight))
    return refuse('out-of-range', 'the pull to the broadcast model');
  if (
    !isWithin(settings.rehearseFaults, 0, 1) ||
    !isWithin(settings.rehearseWearing, 0, 1) ||
    !isWithin(settings.rehearseMissing, 0, 1)
  )
    return refuse('out-of-range', 'a share of rehearsed windows');
  if (!isWithin(settings.pseudoLabels, 0, 1)) return refuse('out-of-range', 'the confidence of a pseudo-label');
  if (!isWithin(settings.personalPrior, 0, 1e6) || !isWithin(settings.scalePrior, 0, 1e6))
    return refuse('out-of-range', "what the fleet's counts beside a board's own");
  if (!isWithin(settings.localSteps, 1, limits.MAX_LOCAL_STEPS))
    return refuse('out-of-range', `${settings.localSteps} steps`);
  if (!isWithin(settings.windowsPerRound, 1, limits.MAX_WINDOWS))
    return refuse('out-of-range', `${settings.windowsPerRound} windows`);
  if (!isBits(settings.prototypeBits) || !isBits(settings.modelBits)) return refuse('out-of-range', 'bits of a value');
  if (!(settings.modelShare > 0 && settings.modelShare <= 1))
    return refuse('out-of-range', `a share of ${settings.modelShare}`);
  if (settings.modelShare < 1 && !canBeSparse({ modelCode, modelBits: settings.modelBits }))
    return refuse('out-of-range', 'a share of values whose code cannot be sparse');
  if (!isStableCode({ modelCode, modelBits: settings.modelBits, modelShare: settings.modelShare }))
    return refuse('out-of-range', 'bits of a value in a code that needs more');
  if (!isWithin(settings.modelEvery, 1, limits.MAX_MODEL_EVERY))
    return refuse('out-of-range', `a model every ${settings.modelEvery} rounds`);
  return { ok: true, value: { ...settings, fill, alignLoss, modelCode, prototypeCode } };
}

function isWithin(value: number, least: number, most: number): boolean {
  return value >= least && value <= most;
}

/** Non-empty, not too long, all different. */
function areTexts(texts: readonly string[]): boolean {
  return (
    new Set(texts).size === texts.length && texts.every((text) => isWithin(text.length, 1, limits.MAX_TEXT_LENGTH))
  );
}
