/**
 * One round on a board: take the next B windows, predict them and collect prototypes under the broadcast model, train, compress,
 * and commit everything that must not drift apart in one transaction (ARCHITECTURE §2, "one transaction is the truth").
 * Invariant: a window is used by one training round only; a round is trained once, whatever dies in between. Should the learner of an
 * agent that was killed still be at work when the next agent's begins, the database takes the work of one of them.
 */
import { AppError } from '../../core/base/errors.ts';
import type { Log } from '../../core/base/log.ts';
import type { GlobalState } from '../../core/model/global-state.ts';
import type { Network } from '../../core/model/network.ts';
import type { NetworkFor } from '../../core/model/network-cache.ts';
import { shapeHash } from '../../core/model/spec.ts';
import type { WindowModality } from '../../core/stream/align.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import type { Update } from '../../core/wire/update.ts';
import type { AgentStore, Checkpoint, StoredWindow } from '../store/agent-store.ts';
import { type RoundTrainer, windowsFor } from '../sync/session.ts';
import { roundingOf } from './delta.ts';
import { withGuesses } from './guesses.ts';
import {
  finishTraining,
  fittingCheckpoint,
  type LabelledWindow,
  type RoundWork,
  statisticsWork,
  trainingInput,
} from './round-work.ts';
import { inSpecOrder, matchModalities } from './spec-order.ts';

export interface TrainerOptions {
  readonly device: string;
  /** The board's modalities, in the order of its stored windows. */
  readonly modalities: readonly WindowModality[];
  readonly store: AgentStore;
  readonly networkFor: NetworkFor;
  /** Resolves after the next ingest, rejects when the signal aborts. */
  readonly nextArrival: (signal: AbortSignal) => Promise<void>;
  /** The stream ends some day (a recording): then the update tells whether another round is possible. */
  readonly finite: boolean;
  readonly log: Log;
}

export function createTrainer(options: TrainerOptions): RoundTrainer {
  const { store, log } = options;
  return {
    async runRound(plan, global, signal) {
      const before = fittingCheckpoint(store.checkpoint(), global);
      if (before.round >= plan.round) return 'already-done';
      const boardIndex = matchModalities(plan.spec, options.modalities);
      const windows = await takeWindows(plan, before.cursor, options, signal);
      if (windows.length === 0) return 'no-windows';

      const inOrder = windows.map((window) => inSpecOrder(window, boardIndex));
      const used = plan.kind === 'training' ? windows : [];
      const cursor = used.at(-1)?.index ?? before.cursor;
      const backlog = store.countWindows(windowsFor(plan, cursor));
      const round = {
        device: options.device,
        round: plan.round,
        seq: before.seq + 1,
        modelVersion: global.version,
        shapeHash: shapeHash(plan.spec),
        windows: windows.length,
        backlog,
        ended: streamEnded(store) && backlog < plan.settings.windowsPerRound,
      };
      const work =
        plan.kind === 'training'
          ? trainOn(inOrder, plan, global, before, await options.networkFor(plan.spec), options.device)
          : statisticsWork(inOrder, plan.spec, global, before);
      const update: Update = {
        ...round,
        online: work.online,
        modalities: work.modalities,
        model: work.model,
        coded: work.coded,
        ...(plan.epoch !== undefined && { epoch: plan.epoch }),
      };
      const checkpoint: Checkpoint = {
        round: plan.round,
        cursor,
        seq: round.seq,
        modelVersion: global.version,
        params: plan.settings.shareModel ? SHARED : work.params,
        residual: work.residual,
        own: work.own,
        history: work.history,
      };
      const row = { round: plan.round, seq: round.seq, payload: encodeUpdate(update), epoch: plan.epoch };
      try {
        const indices = used.map((window) => window.index);
        const outcome = await whenThereIsRoom(() => store.commitTraining(checkpoint, row, indices), options, signal);
        if (outcome === 'other-epoch') {
          log.info(
            { round: plan.round },
            'the aggregator has begun anew meanwhile: what was learned for the one of before is dropped',
          );
          return outcome;
        }
      } catch (error) {
        if (fittingCheckpoint(store.checkpoint(), global).seq === before.seq) throw error;
        log.info({ round: plan.round }, 'another learner has committed meanwhile: looking again');
        return this.runRound(plan, global, signal);
      }
      log.info({ round: plan.round, windows: windows.length, bytes: row.payload.length }, 'update committed');
      return 'committed';
    },
  };
}

/** The broadcast has the model: keeping it would be most of what a board writes. */
const SHARED = new Float32Array(0);

/**
 * The next B usable windows, waiting for them to arrive. A finite stream is read one round ahead, so that the update can say truthfully
 * whether there will be another; when it has ended with fewer than B left, the statistics round makes do with what there is.
 */
async function takeWindows(
  plan: RoundPlan,
  cursor: number,
  options: TrainerOptions,
  signal: AbortSignal,
): Promise<StoredWindow[]> {
  const size = plan.settings.windowsPerRound;
  const query = windowsFor(plan, cursor);
  const wanted = options.finite ? 2 * size : size;
  while (options.store.countWindows(query) < wanted && !streamEnded(options.store)) {
    options.log.debug({ round: plan.round, wanted }, 'waiting for windows');
    await options.nextArrival(signal);
  }
  const windows = options.store.nextWindows({ ...query, limit: size });
  return windows.length === size || plan.kind === 'statistics' ? windows : [];
}

/** On a full disk what was learned waits in memory and is stored after some later ingest: a board makes room. A replay does not wait. */
async function whenThereIsRoom<T>(
  commit: () => T,
  { finite, nextArrival, log }: Pick<TrainerOptions, 'finite' | 'nextArrival' | 'log'>,
  signal: AbortSignal,
): Promise<T> {
  for (let isTold = false; ; isTold = true) {
    try {
      return commit();
    } catch (error) {
      if (finite || !(error instanceof AppError) || error.code !== 'storage-full') throw error;
    }
    if (!isTold) log.warn({}, 'disk full: what was learned waits to be stored');
    await nextArrival(signal);
  }
}

function streamEnded(store: AgentStore): boolean {
  return store.ingestPosition()?.streamEnded ?? false;
}

function trainOn(
  windows: readonly LabelledWindow[],
  plan: RoundPlan,
  global: GlobalState,
  before: Checkpoint,
  network: Network,
  device: string,
): RoundWork {
  const taught = withGuesses(windows, plan, global, before, network);
  const input = trainingInput(taught, plan, global, before, device);
  return finishTraining(taught, plan, before, input, network.train(input), roundingOf(device, plan.round));
}
