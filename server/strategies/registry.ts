/** All strategies in one place, and the rules that a changed setting must keep. */
import { AppError } from '../../core/base/errors.ts';
import type { TrainSettings } from '../../core/model/settings.ts';
import { fedavg } from './fedavg.ts';
import { fedavgMasked } from './fedavg-masked.ts';
import { plr } from './plr.ts';
import { qqr } from './qqr.ts';
import type { Strategy } from './strategy.ts';

export const STRATEGY_NAMES = ['fedavg', 'fedavg-masked', 'plr', 'qqr'] as const;
export type StrategyName = (typeof STRATEGY_NAMES)[number];

/** What may be set over a strategy's defaults. */
export type StrategyOverrides = {
  readonly [Key in Exclude<keyof TrainSettings, 'strategy'>]?: TrainSettings[Key] | undefined;
} & { readonly prototypeMemory?: number | undefined; readonly modelMemory?: number | undefined };

/** A strategy by name, with some of its settings changed. @throws AppError `config-invalid` when they contradict each other. */
export function createStrategy(name: StrategyName, overrides: StrategyOverrides = {}): Strategy {
  const base = strategyNamed(name);
  const { prototypeMemory = base.prototypeMemory, modelMemory = base.modelMemory, ...changed } = overrides;
  const given = Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== undefined));
  const settings: TrainSettings = { ...base.settings, ...given };
  if (!settings.sendPrototypes && (settings.fill === 'pnr' || settings.alignWeight > 0)) {
    throw new AppError('config-invalid', `strategy '${name}' needs prototypes, but boards are told not to send them`, {
      where: 'strategy.sendPrototypes',
      hint: "Set sendPrototypes = true, or alignWeight = 0 and a fill other than 'pnr'.",
    });
  }
  return { description: base.description, settings, prototypeMemory, modelMemory };
}

function strategyNamed(name: StrategyName): Strategy {
  switch (name) {
    case 'fedavg':
      return fedavg;
    case 'fedavg-masked':
      return fedavgMasked;
    case 'plr':
      return plr;
    case 'qqr':
      return qqr;
  }
}
