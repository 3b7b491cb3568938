/**
 * The aggregator's settings: one schema is the type, read once, slices handed on. `server/config.sample.toml` documents every
 * key; a test holds the two together. Only composition roots import this file.
 */
import { z } from 'zod';
import { AppError } from '../core/base/errors.ts';
import { checkLinkKeys } from '../core/link/check-link-keys.ts';
import { type ModelSpec, REFERENCE_NETWORK } from '../core/model/spec.ts';
import { isBits } from '../core/quant/affine.ts';
import {
  DEFAULT_LIMITS,
  MAX_BOARDS,
  MAX_CHANNELS,
  MAX_CLASSES,
  MAX_CONV_LAYERS,
  MAX_EMBEDDING,
  MAX_LATE_ROUNDS,
  MAX_LAYER_SIZE,
  MAX_LOCAL_STEPS,
  MAX_MODALITIES,
  MAX_MODEL_EVERY,
  MAX_RATE_HZ,
  MAX_TEXT_LENGTH,
  MAX_WINDOWS,
} from '../core/wire/limits.ts';
import { embeddedKeys } from './embedded-settings.ts';
import { httpSchema } from './http-settings.ts';
import type { RoundSettings } from './round-settings.ts';
import { ROBUST_RULES } from './strategies/guard.ts';
import { createStrategy, STRATEGY_NAMES } from './strategies/registry.ts';
import type { Strategy } from './strategies/strategy.ts';

const count = (max: number) => z.number().int().min(1).max(max);
const label = z.string().min(1).max(MAX_TEXT_LENGTH);
const bits = z.number().refine(isBits, 'takes 1 to 8, or 32');
const unique = (names: readonly string[]) => new Set(names).size === names.length;

const modality = z.strictObject({
  name: label,
  unit: label,
  channels: z.array(label).min(1).max(MAX_CHANNELS).refine(unique, 'names a channel twice'),
  sampleRateHz: z.number().positive().max(MAX_RATE_HZ),
});

const model = z.strictObject({
  windowSeconds: z.number().min(0.1).max(60).default(2.56),
  classes: z
    .array(label)
    .min(2)
    .max(MAX_CLASSES)
    .refine(unique, 'names a class twice')
    .default(['WALKING', 'WALKING_UPSTAIRS', 'WALKING_DOWNSTAIRS', 'SITTING', 'STANDING', 'LAYING']),
  modalities: z
    .array(modality)
    .min(1)
    .max(MAX_MODALITIES)
    .refine((list) => unique(list.map(({ name }) => name)), 'names a modality twice')
    .default([
      { name: 'acc', unit: 'mps2', channels: ['x', 'y', 'z'], sampleRateHz: 50 },
      { name: 'gyr', unit: 'radps', channels: ['x', 'y', 'z'], sampleRateHz: 50 },
    ]),
  conv: z
    .array(
      z.strictObject({ filters: count(MAX_LAYER_SIZE), kernel: count(MAX_LAYER_SIZE), stride: count(MAX_LAYER_SIZE) }),
    )
    .min(1)
    .max(MAX_CONV_LAYERS)
    .default([...REFERENCE_NETWORK.conv]),
  embedding: count(MAX_EMBEDDING).default(REFERENCE_NETWORK.embedding),
  hidden: count(MAX_LAYER_SIZE).default(REFERENCE_NETWORK.hidden),
  windowStatistics: z.boolean().default(REFERENCE_NETWORK.windowStatistics),
});

const strategy = z.strictObject({
  name: z.enum(STRATEGY_NAMES).default('qqr'),
  learningRate: z.number().positive().max(10).optional(),
  localSteps: count(MAX_LOCAL_STEPS).optional(),
  windowsPerRound: count(MAX_WINDOWS).optional(),
  fill: z.enum(['zero-input', 'zero-embedding', 'pnr', 'label']).optional(),
  fillTemperature: z.number().positive().max(100).optional(),
  alignLoss: z.enum(['contrastive', 'distance']).optional(),
  alignWeight: z.number().min(0).max(100).optional(),
  alignTemperature: z.number().positive().max(100).optional(),
  evidenceWeight: z.number().min(0).max(100).optional(),
  gateWeight: z.number().min(0).max(1).optional(),
  proximalWeight: z.number().min(0).max(100).optional(),
  rehearseFaults: z.number().min(0).max(1).optional(),
  rehearseWearing: z.number().min(0).max(1).optional(),
  rehearseMissing: z.number().min(0).max(1).optional(),
  pseudoLabels: z.number().min(0).max(1).optional(),
  personalPrior: z.number().min(0).max(1e6).optional(),
  scalePrior: z.number().min(0).max(1e6).optional(),
  dropIncomplete: z.boolean().optional(),
  shareModel: z.boolean().optional(),
  qualityWeights: z.boolean().optional(),
  modalityWeights: z.boolean().optional(),
  sendPrototypes: z.boolean().optional(),
  prototypeBits: bits.optional(),
  modelBits: bits.optional(),
  modelCode: z.enum(['packed', 'affine', 'stochastic', 'sign']).optional(),
  prototypeCode: z.enum(['affine', 'stochastic']).optional(),
  modelShare: z.number().positive().max(1).optional(),
  modelEvery: count(MAX_MODEL_EVERY).optional(),
  prototypeMemory: z.number().min(0).lt(1).optional(),
  serverRate: z.number().min(0).max(1).optional(),
  modelMemory: z.number().min(0).lt(1).optional(),
  robust: z.enum(ROBUST_RULES).optional(),
  trim: z.number().min(0).max(0.45).optional(),
  clipNorm: z.number().min(0).max(1e6).optional(),
  clipFactor: z.number().min(0).max(1e6).optional(),
  maxShare: z.number().positive().max(1).optional(),
});

export const serverConfigSchema = z.strictObject({
  fleet: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'takes 1 to 64 of A-Z a-z 0-9 . _ -')
    .default('default'),
  stateDir: z.string().default('/var/lib/qqr-server'),
  durability: z.enum(['full', 'normal']).default('full'),
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(1),
  broker: z
    .strictObject({
      listen: z
        .string()
        .regex(/^.+:\d{1,5}$/, 'takes HOST:PORT')
        .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) < 65_536, 'takes a port up to 65535')
        .default('127.0.0.1:1883'),
      url: z
        .string()
        .regex(/^mqtts?:\/\/[^/@]+$/, 'takes mqtt://HOST:PORT or mqtts://HOST:PORT')
        .optional(),
      username: z.string().optional(),
      password: z.string().optional(),
      passwordFile: z.string().optional(),
      ca: z.string().optional(),
      cert: z.string().optional(),
      key: z.string().optional(),
      ...embeddedKeys,
    })
    .superRefine((broker, { addIssue }) =>
      checkLinkKeys(broker, (path, message) => addIssue({ code: 'custom', path: [path], message })),
    )
    .prefault({}),
  rounds: z
    .strictObject({
      boards: count(MAX_BOARDS).default(1),
      max: z.number().int().min(0).default(0),
      quorum: z.number().positive().max(1).default(0.8),
      deadlineS: z.number().min(0).max(86_400).default(300),
      late: z.enum(['refuse', 'weigh']).default('refuse'),
      lateRounds: count(MAX_LATE_ROUNDS).default(2),
      lateExponent: z.number().min(0).max(10).default(0.5),
      keepRounds: z
        .number()
        .int()
        .refine((rounds) => rounds === 0 || (rounds >= 1000 && rounds <= 1e9), 'takes 0 (all), or 1000 and more')
        .default(100_000),
    })
    .prefault({}),
  strategy: strategy.prefault({}),
  model: model.prefault({}),
  evaluation: z
    .strictObject({
      holdout: z.array(z.string()).default([]),
      every: z.number().int().min(1).default(1),
      conditions: z.enum(['all', 'clean']).default('all'),
    })
    .prefault({}),
  limits: z
    .strictObject({
      maxUpdateBytes: z
        .number()
        .int()
        .min(1024)
        .max(2 ** 28 - 1)
        .default(DEFAULT_LIMITS.maxPayloadBytes),
      maxDeltaNorm: z.number().positive().default(DEFAULT_LIMITS.maxDeltaNorm),
      maxBoards: count(MAX_BOARDS).default(MAX_BOARDS),
      updatesPerMinute: z.number().int().min(0).max(1e6).default(600),
    })
    .prefault({}),
  http: httpSchema.prefault({}),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
});

export type ServerConfig = z.infer<typeof serverConfigSchema>;
/** Settings as a person writes them: everything may be left out. */
export type ServerConfigInput = z.input<typeof serverConfigSchema>;

/** Checks settings from wherever they come and fills in the defaults. Throws AppError 'config-invalid' with the key and what it takes. */
export function parseServerConfig(settings: unknown, where: string): ServerConfig {
  const result = serverConfigSchema.safeParse(settings);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const key = issue?.path.join('.') || '(top level)';
  throw new AppError('config-invalid', `${key}: ${issue?.message ?? 'not valid'}`, {
    where,
    hint: 'server/config.sample.toml documents every key',
  });
}

export function specFrom({ model: { windowSeconds, modalities, classes, ...network } }: ServerConfig): ModelSpec {
  const withSamples = modalities.map((m) => ({ ...m, samples: Math.round(windowSeconds * m.sampleRateHz) }));
  return { modalities: withSamples, classes, ...network };
}

/** @throws AppError 'config-invalid' when settings of the strategy contradict each other, or leave nothing to evaluate. */
export function strategyFrom({ strategy: { name, ...overrides }, rounds, evaluation }: ServerConfig): Strategy {
  const strategy = { ...createStrategy(name, overrides), lateExponent: rounds.lateExponent };
  if (rounds.late === 'weigh' && strategy.guard.robust !== 'mean') {
    throw new AppError('config-invalid', 'where every board counts alike, a late update cannot count for less', {
      where: 'rounds.late',
      hint: "Set rounds.late = 'refuse', or strategy.robust = 'mean'.",
    });
  }
  if (strategy.settings.shareModel || evaluation.holdout.length === 0) return strategy;
  throw new AppError('config-invalid', 'every model stays on its board: the aggregator has none to evaluate', {
    where: 'evaluation.holdout',
    hint: 'Leave out the holdout, or set strategy.shareModel = true.',
  });
}

export function roundSettingsFrom({ seed, rounds, evaluation, limits }: ServerConfig): RoundSettings {
  return {
    seed,
    minBoards: rounds.boards,
    maxRounds: rounds.max,
    quorum: rounds.quorum,
    deadlineMs: Math.round(rounds.deadlineS * 1000),
    evaluateEvery: evaluation.every,
    lateRounds: rounds.late === 'weigh' ? rounds.lateRounds : 0,
    limits: { maxPayloadBytes: limits.maxUpdateBytes, maxDeltaNorm: limits.maxDeltaNorm },
    maxBoards: limits.maxBoards,
    updatesPerMinute: limits.updatesPerMinute,
  };
}
