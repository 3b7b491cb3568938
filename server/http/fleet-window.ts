/** All that the HTTP API sees of the aggregator. The composition root puts it together. */
import type { CertificateEnds } from '../../core/link/certificate-ends.ts';
import type { TrainSettings } from '../../core/model/settings.ts';
import type { ModelSpec } from '../../core/model/spec.ts';
import type { FleetState } from '../fleet-state.ts';
import type { FleetView } from '../fleet-watch.ts';
import type { HoldoutPredictions } from '../holdout.ts';
import type { Operator } from '../operator.ts';
import type { BrokerCounts } from '../source/embedded.ts';
import type { History } from '../store/history.ts';

export interface FleetWindow {
  readonly fleet: string;
  readonly spec: ModelSpec;
  readonly settings: TrainSettings;
  /** Milliseconds that a round stays open, 0 = until its quorum. */
  readonly deadlineMs: number;
  readonly view: FleetView;
  readonly operator: Operator;
  readonly history: History;
  readonly hasHoldout: boolean;
  global(): FleetState;
  /** On held-out windows by the present model; null without any, and before the fleet has a scale. */
  predictions(): HoldoutPredictions | null;
  traffic(): { readonly sentBytes: number; readonly receivedBytes: number };
  /** Of the embedded broker; null with a broker elsewhere. */
  brokerCounts(): BrokerCounts | null;
  certificateEnds(): Promise<CertificateEnds>;
  /** @throws AppError `storage-failed` */
  probeStore(): void;
}
