/** All experiments in one place. A new one is a file in lists/ and a line here. */
import { AppError } from '../../core/base/errors.ts';
import type { Experiment } from './experiment.ts';
import { ablation } from './lists/ablation.ts';
import { bits } from './lists/bits.ts';
import { both } from './lists/both.ts';
import { drift } from './lists/drift.ts';
import { headline } from './lists/headline.ts';
import { hostile } from './lists/hostile.ts';
import { labels } from './lists/labels.ts';
import { modalities } from './lists/modalities.ts';
import { noniid } from './lists/noniid.ts';
import { personalize } from './lists/personalize.ts';
import { quality } from './lists/quality.ts';
import { quantity } from './lists/quantity.ts';
import { regret } from './lists/regret.ts';
import { tuned } from './lists/tuned.ts';

/** In the order in which results are told. */
export const EXPERIMENTS: readonly Experiment[] = [
  headline,
  tuned,
  quantity,
  quality,
  both,
  ablation,
  bits,
  regret,
  noniid,
  modalities,
  drift,
  labels,
  personalize,
  hostile,
];

/** @throws AppError `usage` for a name that is none. */
export function experimentNamed(name: string): Experiment {
  const found = EXPERIMENTS.find((experiment) => experiment.name === name);
  if (found !== undefined) return found;
  throw new AppError('usage', `there is no experiment '${name}'`, {
    hint: `experiments: ${EXPERIMENTS.map((experiment) => experiment.name).join(', ')}`,
  });
}
