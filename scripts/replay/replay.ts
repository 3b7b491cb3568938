/** A whole replay: the same run over several seeds, summarized. */
import { AppError } from '../../core/base/errors.ts';
import { loadBackend } from '../../core/model/backend.ts';
import { createNetworkCache } from '../../core/model/network-cache.ts';
import type { DataSet } from '../../core/trace/recording.ts';
import type { RoundRecord } from '../../server/record.ts';
import { createStrategy } from '../../server/strategies/registry.ts';
import type { Progress } from '../progress.ts';
import { runFleet } from './fleet.ts';
import type { ReplayOptions } from './options.ts';
import { planFleet } from './plan.ts';
import { resultOf, type SeedOutcome } from './result.ts';
import type { RunResult } from './run-result.ts';
import { simulateFleet } from './simulate.ts';

/** Runs every seed, one after the other. @throws AppError for options that do not fit the data, and whatever breaks underneath. */
export async function replay(
  dataSet: DataSet,
  options: ReplayOptions,
  { progress }: { readonly progress: Progress },
): Promise<RunResult> {
  const startMs = performance.now();
  const networkFor = createNetworkCache();
  const { windowsPerRound, shareModel } = createStrategy(options.strategy, options.settings).settings;
  if (!shareModel && options.learner === 'boards') throw nothingToTest(options.strategy);
  const run = options.learner === 'batched' ? simulateFleet : runFleet;
  const outcomes: SeedOutcome[] = [];
  for (const seed of options.seeds) {
    const plan = planFleet(dataSet, options, windowsPerRound, seed);
    const label = options.seeds.length > 1 ? `${options.title}, seed ${seed}` : options.title;
    progress.start(label, plan.rounds + 1);
    const outcome = await run(plan, options, seed, networkFor, (record) => progress.advance(label, 1, noteOf(record)));
    outcomes.push({ ...outcome, seed, plan });
  }
  const backend = (await loadBackend()).getBackend();
  return resultOf(dataSet, options, outcomes, { backend, durationS: (performance.now() - startMs) / 1000 });
}

function noteOf({ evaluation, online }: RoundRecord): string {
  const accuracy = evaluation?.clean ?? online?.accuracy;
  return accuracy === undefined ? '' : `${(100 * accuracy).toFixed(1)} %`;
}

/** With boards as in the field nobody but a board itself has its model. */
function nothingToTest(strategy: string): AppError {
  return new AppError(
    'usage',
    `with '${strategy}' every model stays on its board, so there is none of the fleet to test`,
    {
      hint: 'use --batched, which tests every board and takes the mean',
    },
  );
}
