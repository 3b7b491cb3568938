/**
 * QQR (arXiv 2508.11159; formulas ours), as it measured best (docs/results.md): embeddings are pulled to their class (PLR,
 * docs/algorithm.md §5), boards rehearse failures (§6), the aggregator steps by FedAdam (§7), prototypes have a say in every
 * prediction, and where a sensor looks bad the prediction without it has one, too (§8). Filling from prototypes (PNR, `fill = "pnr"`)
 * and quality weights (`qualityWeights`) are switches; neither has earned a place in the default. No board's model change counts for
 * more than three times the round's median length: none of an honest board was seen that long (docs/hostile-boards.md).
 */
import { NO_GUARD } from './guard.ts';
import { plr } from './plr.ts';
import type { Strategy } from './strategy.ts';

export const qqr: Strategy = {
  ...plr,
  description: 'PLR, rehearsed failures, FedAdam, and prototypes that vote: the best measured',
  settings: {
    ...plr.settings,
    strategy: 'qqr',
    evidenceWeight: 1,
    gateWeight: 0.5,
    rehearseFaults: 0.2,
    rehearseMissing: 0.5,
    rehearseWearing: 1,
  },
  serverRate: 0.02,
  guard: { ...NO_GUARD, clipFactor: 3 },
};
