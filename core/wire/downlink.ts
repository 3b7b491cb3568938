/** What the aggregator tells the boards, and what boards tell about themselves, as plain data. */
import type { TrainSettings } from '../model/settings.ts';
import type { ModelSpec } from '../model/spec.ts';
import type { Normalization } from '../qqr/normalization.ts';
import type { PrototypeSet } from '../qqr/prototype.ts';
import type { Epoch } from './epoch.ts';
import type { RejectReason } from './update.ts';

/** `round/current` (retained): what is asked of the boards now. */
export interface RoundPlan {
  /** 0 is the statistics round. */
  readonly round: number;
  readonly kind: 'statistics' | 'training' | 'finished';
  /** Version of the global model to train from. */
  readonly modelVersion: number;
  /** Milliseconds that the round stays open from its opening; 0 = until its quorum. */
  readonly deadlineMs: number;
  readonly spec: ModelSpec;
  readonly settings: TrainSettings;
  /** An update may come so many rounds late and still be counted; left out: with its own round only. */
  readonly lateRounds?: number;
  /** Largest update that is taken, bytes; without it MAX_PAYLOAD_BYTES. */
  readonly maxUpdateBytes?: number;
  /** Of the aggregator, as in every message of its; left out: it does not say. */
  readonly epoch?: Epoch;
}

/** `global/model` (retained): the whole model at one version. */
export interface GlobalModel {
  /** The round that produced it. */
  readonly round: number;
  readonly version: number;
  readonly shapeHash: number;
  /** Flat parameter vector, every value finite. Its length is the sender's claim: compare it with the layout's. */
  readonly params: Float32Array;
  /** Null until round 0 has closed. */
  readonly normalization: Normalization | null;
  readonly epoch?: Epoch;
}

/** `global/prototypes` (retained): the persistent prototypes of the same version. */
export interface GlobalPrototypes {
  readonly round: number;
  readonly version: number;
  readonly shapeHash: number;
  readonly prototypes: PrototypeSet;
  /** Of predictions made with this version (`core/model/calibration.ts`). */
  readonly temperature: number;
  readonly epoch?: Epoch;
}

/** `round/closed`: the keys that were counted. A board deletes an outbox row only when it finds its key here (or in a final receipt). */
export interface RoundClosed {
  readonly round: number;
  readonly accepted: readonly AcceptedKey[];
  readonly epoch?: Epoch;
}

export interface AcceptedKey {
  readonly device: string;
  readonly seq: number;
  /** The key's own round is so many before the one that closed; left out: it is that one. */
  readonly lateBy?: number;
}

/** `receipt/<device>`: sent after the update is committed (or refused). */
export interface Receipt {
  readonly round: number;
  readonly seq: number;
  readonly verdict: 'accepted' | 'duplicate' | 'rejected';
  /** Set when rejected. */
  readonly reason: RejectReason | null;
  /** The round has closed: nothing about this key will change any more. */
  readonly final: boolean;
  readonly epoch?: Epoch;
}

/** `status/<device>` (retained; `offline` is the last will). */
export interface DeviceStatus {
  readonly device: string;
  readonly state: 'online' | 'finished' | 'offline';
  /** Names of the modalities that the board has. */
  readonly modalities: readonly string[];
  /** That the board is in; left out before it has heard of any. */
  readonly epoch?: Epoch;
  /** The newest round that it has an update of; left out before the first. */
  readonly round?: number;
}
