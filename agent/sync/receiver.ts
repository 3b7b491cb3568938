/**
 * What the aggregator says, decoded and put together: the newest plan, and global states once both of their halves are here.
 * Messages may come twice or out of order. Invariant: within an epoch the plan never goes back to an earlier round; a global state is made
 * of a model and prototypes of the same epoch and version, both of the plan's shape.
 */
import { AppError } from '../../core/base/errors.ts';
import type { Log } from '../../core/base/log.ts';
import type { Message, Transport } from '../../core/link/transport.ts';
import type { GlobalState } from '../../core/model/global-state.ts';
import { paramLayout } from '../../core/model/params.ts';
import { type ModelSpec, shapeHash } from '../../core/model/spec.ts';
import {
  decodeGlobalModel,
  decodeGlobalPrototypes,
  decodeReceipt,
  decodeRoundClosed,
  decodeRoundPlan,
} from '../../core/wire/decode-downlink.ts';
import type { GlobalModel, GlobalPrototypes, Receipt, RoundClosed, RoundPlan } from '../../core/wire/downlink.ts';
import { isSameEpoch } from '../../core/wire/epoch.ts';
import type { Decoded } from '../../core/wire/frame.ts';
import type { Topics } from '../../core/wire/topics.ts';
import type { EpochFollower } from './epoch-follower.ts';

export interface ReceiverParts {
  readonly transport: Transport;
  readonly topics: Topics;
  readonly device: string;
  readonly epochs: EpochFollower;
  readonly log: Log;
  /** A message came that no broker had kept. */
  readonly onNews: () => void;
  readonly onReceipt: (receipt: Receipt) => void;
  readonly onClosed: (closed: RoundClosed) => void;
  /** A newer plan, or another part of a global state. */
  readonly onChange: () => void;
}

export interface Receiver {
  subscribe(): Promise<void>;
  /** Asks the broker for the retained messages again that would let the board go on: one of them may have been lost on the way. */
  refresh(): Promise<void>;
  plan(): RoundPlan | null;
  /** The global state that a plan starts from; null while a half of it is missing or does not fit the plan's model. */
  globalFor(plan: RoundPlan): GlobalState | null;
}

/** Versions kept per half: the two halves of one version may come far apart. */
const KEPT_VERSIONS = 3;

export function createReceiver({
  transport,
  topics,
  device,
  epochs,
  log,
  onNews,
  onReceipt,
  onClosed,
  onChange,
}: ReceiverParts): Receiver {
  const models = new Map<string, GlobalModel>();
  const prototypes = new Map<string, GlobalPrototypes>();
  let plan: RoundPlan | null = null;
  let warnedOf = '';

  /** Subscribes to a topic whose payloads `decode` understands; others are logged and dropped. */
  async function listen<T>(
    topic: string,
    decode: (payload: Uint8Array) => Decoded<T>,
    take: (value: T) => void,
  ): Promise<void> {
    await transport.subscribe(topic, ({ payload, retained }: Message) => {
      if (!retained) onNews();
      const decoded = decode(payload);
      if (decoded.ok) take(decoded.value);
      else
        log.warn(
          { topic, reason: decoded.reason, detail: decoded.detail },
          'message from the aggregator not understood',
        );
    });
  }

  async function listenForGlobal(): Promise<void> {
    await listen(topics.globalModel, decodeGlobalModel, (model) => {
      keep(models, nameOf(model.version, model), model);
      onChange();
    });
    await listen(topics.globalPrototypes, decodeGlobalPrototypes, (half) => {
      keep(prototypes, nameOf(half.version, half), half);
      onChange();
    });
  }

  async function listenForPlan(): Promise<void> {
    await listen(topics.roundCurrent, decodeRoundPlan, (next) => {
      if (!epochs.follows(next.epoch)) return;
      if (plan !== null && isSameEpoch(plan.epoch, next.epoch) && next.round < plan.round) return;
      plan = next;
      onChange();
    });
  }

  const receiver: Receiver = {
    async subscribe() {
      await listen(topics.receipt(device), decodeReceipt, ifOurs(epochs, onReceipt));
      await listen(topics.roundClosed, decodeRoundClosed, ifOurs(epochs, onClosed));
      await listenForGlobal();
      await listenForPlan();
    },
    async refresh() {
      await listenForPlan();
      if (plan !== null && receiver.globalFor(plan) === null) await listenForGlobal();
    },
    plan: () => plan,
    globalFor({ kind, spec, modelVersion: version, epoch }) {
      const name = nameOf(version, { epoch });
      const model = models.get(name);
      const half = prototypes.get(name);
      if (model === undefined || half === undefined) return null;
      if (kind === 'training' && model.normalization === null) return null; // version 0 as it was before round 0 closed
      const misfit = misfitOf(spec, model, half);
      if (misfit === null) {
        const { params, normalization } = model;
        return { version, params, prototypes: half.prototypes, temperature: half.temperature, normalization };
      }
      if (warnedOf !== name) log.warn({ version, misfit }, "the global model does not fit the plan's");
      warnedOf = name;
      return null;
    },
  };
  return receiver;
}

/** What another epoch's aggregator says of updates is not about this board's. */
function ifOurs<T extends Receipt | RoundClosed>(epochs: EpochFollower, take: (value: T) => void): typeof take {
  return (value) => {
    if (epochs.concerns(value.epoch)) take(value);
  };
}

/** What of a global state does not have the shape that the plan's model asks for, or null. */
function misfitOf(
  spec: ModelSpec,
  model: GlobalModel,
  { shapeHash: hash, prototypes }: GlobalPrototypes,
): string | null {
  const expected = shapeHash(spec);
  if (model.shapeHash !== expected || hash !== expected) return 'shape hash';
  if (model.params.length !== paramCount(spec)) return 'parameters';
  const { modalities, classes, dim } = prototypes;
  const fits = modalities === spec.modalities.length && classes === spec.classes.length && dim === spec.embedding;
  if (!fits) return 'prototypes';
  const isScaled = spec.modalities.every((m, i) => model.normalization?.mean[i]?.length === m.channels.length);
  return model.normalization === null || isScaled ? null : 'normalization';
}

/** Parameters of the plan's model; −1 when its windows are too short for its convolutions. */
function paramCount(spec: ModelSpec): number {
  try {
    return paramLayout(spec).total;
  } catch (error) {
    if (error instanceof AppError) return -1;
    throw error;
  }
}

/** Of a global state, over all epochs. */
function nameOf(version: number, { epoch }: { readonly epoch?: string | undefined }): string {
  return `${epoch}/${version}`;
}

/** Puts the entry last and forgets the oldest beyond KEPT_VERSIONS. */
function keep<T>(byVersion: Map<string, T>, version: string, value: T): void {
  byVersion.delete(version);
  byVersion.set(version, value);
  for (const oldest of byVersion.keys()) {
    if (byVersion.size <= KEPT_VERSIONS) return;
    byVersion.delete(oldest);
  }
}
