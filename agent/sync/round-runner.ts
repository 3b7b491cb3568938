/** One round at a time through the trainer; a newer round ends the wait for an older one's windows. */
import type { Log } from '../../core/base/log.ts';
import type { GlobalState } from '../../core/model/global-state.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import { isSameEpoch } from '../../core/wire/epoch.ts';
import type { AgentStore, WindowQuery } from '../store/agent-store.ts';

/** The windows that a round of this plan may use. */
export function windowsFor({ spec, settings }: Pick<RoundPlan, 'spec' | 'settings'>, afterIndex: number): WindowQuery {
  return { afterIndex, classes: spec.classes, unlabelled: settings.pseudoLabels > 0 };
}

export interface RoundTrainer {
  /**
   * Trains the plan's round from `global` and commits update and checkpoint to the store in one transaction.
   * May wait for windows; rejects with the signal's reason when it aborts before the commit.
   * `no-windows`: the stream has ended and holds too few for this round. `other-epoch`: the board has left the plan's meanwhile.
   */
  runRound(
    plan: RoundPlan,
    global: GlobalState,
    signal: AbortSignal,
  ): Promise<'committed' | 'already-done' | 'no-windows' | 'other-epoch'>;
}

export interface RoundRunner {
  /** Resolves when the trainer has answered or a newer round has begun; rejects when the trainer fails or `signal` aborts. */
  run(plan: RoundPlan, global: GlobalState, signal: AbortSignal): Promise<void>;
  /** The fleet works on this plan: an older one under way is given up. */
  atPlan(plan: RoundPlan): void;
  /** The trainer has answered this plan, or the checkpoint holds its round. */
  isHandled(plan: RoundPlan): boolean;
  /** Nothing will come of this board any more: plan handled, stream ended, too few windows left, every update settled. */
  isExhausted(plan: RoundPlan): boolean;
}

export function createRoundRunner(trainer: RoundTrainer, store: AgentStore, log: Log): RoundRunner {
  let answered: RoundPlan | null = null;
  let underWay: { readonly plan: RoundPlan; readonly abort: AbortController } | null = null;

  const runner: RoundRunner = {
    async run(plan, global, signal) {
      const abort = new AbortController();
      const stop = () => abort.abort(signal.reason);
      signal.addEventListener('abort', stop, { once: true });
      underWay = { plan, abort };
      try {
        const result = await trainer.runRound(plan, global, abort.signal);
        answered = plan;
        log.debug({ round: plan.round, result }, 'round answered');
      } catch (error) {
        if (!abort.signal.aborted || signal.aborted) throw error;
        log.info({ round: plan.round, reason: String(abort.signal.reason) }, 'round given up');
      } finally {
        underWay = null;
        signal.removeEventListener('abort', stop);
      }
    },
    atPlan({ round, epoch }) {
      if (underWay === null) return;
      const { plan, abort } = underWay;
      if (!isSameEpoch(epoch, plan.epoch)) abort.abort(new Error('the aggregator has begun anew'));
      else if (round > plan.round) abort.abort(new Error(`round ${round} has begun`));
    },
    isHandled({ round, epoch }) {
      const isAnswered = answered !== null && isSameEpoch(epoch, answered.epoch) && answered.round >= round;
      return isAnswered || (store.checkpoint()?.round ?? -1) >= round;
    },
    isExhausted(plan) {
      if (!runner.isHandled(plan) || !store.ingestPosition()?.streamEnded || store.pending().length > 0) return false;
      const afterIndex = store.checkpoint()?.cursor ?? -1;
      return store.countWindows(windowsFor(plan, afterIndex)) < plan.settings.windowsPerRound;
    },
  };
  return runner;
}
