/** What an experiment's process and its workers say to each other over Node's channel: JSON, one trial in flight per worker. */
import type { ErrorCode } from '../../core/base/errors.ts';
import type { DataFacts } from './experiment.ts';
import type { Trial, TrialResult } from './trial.ts';

export type ToWorker = { readonly kind: 'trial'; readonly trial: Trial };

export type FromWorker =
  /** Once, when the recordings are in memory. */
  | { readonly kind: 'ready'; readonly facts: DataFacts }
  /** Instead of `ready`: it will not come to anything. */
  | {
      readonly kind: 'unable';
      readonly code: ErrorCode;
      readonly what: string;
      readonly where: string | undefined;
      readonly hint: string | undefined;
    }
  | { readonly kind: 'result'; readonly key: string; readonly result: TrialResult }
  /** The trial threw; the worker goes on. */
  | { readonly kind: 'failed'; readonly key: string; readonly message: string };
