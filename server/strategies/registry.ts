/** All strategies in one place, and the rules that a changed setting must keep. */
import { AppError } from '../../core/base/errors.ts';
import { canBeSparse, isStableCode, type TrainSettings } from '../../core/model/settings.ts';
import { dropIncomplete } from './drop-incomplete.ts';
import { fedavg } from './fedavg.ts';
import { fedavgMasked } from './fedavg-masked.ts';
import { fedproto } from './fedproto.ts';
import { fedprox } from './fedprox.ts';
import type { Guard } from './guard.ts';
import { lean } from './lean.ts';
import { localOnly } from './local-only.ts';
import { plr } from './plr.ts';
import { pmm } from './pmm.ts';
import { qqr } from './qqr.ts';
import type { Strategy } from './strategy.ts';

// One entry a strategy; in this order people are shown them.
const STRATEGIES = {
  fedavg,
  'fedavg-masked': fedavgMasked,
  'drop-incomplete': dropIncomplete,
  fedprox,
  fedproto,
  'local-only': localOnly,
  pmm,
  plr,
  qqr,
  lean,
} as const satisfies Record<string, Strategy>;

export type StrategyName = keyof typeof STRATEGIES;

export const STRATEGY_NAMES = Object.keys(STRATEGIES) as StrategyName[];

/** What may be set over a strategy's defaults. */
export type StrategyOverrides = {
  readonly [Key in Exclude<keyof TrainSettings, 'strategy'>]?: TrainSettings[Key] | undefined;
} & {
  readonly prototypeMemory?: number | undefined;
  readonly serverRate?: number | undefined;
  readonly modelMemory?: number | undefined;
} & { readonly [Key in keyof Guard]?: Guard[Key] | undefined };

/** A strategy by name, with some of its settings changed. @throws AppError `config-invalid` when they contradict each other. */
export function createStrategy(name: StrategyName, overrides: StrategyOverrides = {}): Strategy {
  const base: Strategy = STRATEGIES[name];
  const {
    prototypeMemory = base.prototypeMemory,
    serverRate = base.serverRate,
    modelMemory = base.modelMemory,
    robust = base.guard.robust,
    trim = base.guard.trim,
    clipNorm = base.guard.clipNorm,
    clipFactor = base.guard.clipFactor,
    maxShare = base.guard.maxShare,
    ...changed
  } = overrides;
  const given = Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== undefined));
  const settings: TrainSettings = { ...base.settings, ...given };
  if (!settings.sendPrototypes && usesPrototypes(settings)) {
    throw new AppError('config-invalid', `strategy '${name}' needs prototypes, but boards are told not to send them`, {
      where: 'strategy.sendPrototypes',
      hint: "Set sendPrototypes = true, or alignWeight, evidenceWeight and pseudoLabels = 0 and a fill other than 'pnr' and 'label'.",
    });
  }
  if (settings.modelShare < 1 && !canBeSparse(settings)) {
    throw new AppError('config-invalid', `a share of the model's values cannot travel in this code`, {
      where: 'strategy.modelShare',
      hint: "Set modelBits to 1 to 8 and modelCode to 'affine' or 'stochastic', or modelCode = 'sign', or modelShare = 1.",
    });
  }
  if (!isStableCode(settings)) {
    throw new AppError(
      'config-invalid',
      'with one bit between the extremes, what a board still owes grows without end',
      {
        where: 'strategy.modelBits',
        hint: "Set modelCode = 'sign', which is one bit a value, or modelBits = 2 or more.",
      },
    );
  }
  const guard: Guard = { robust, trim, clipNorm, clipFactor, maxShare };
  if (robust !== 'mean' && settings.modelShare < 1) {
    throw new AppError('config-invalid', `the ${robust} of values of which most did not travel is zero`, {
      where: 'strategy.robust',
      hint: "Set modelShare = 1 or another strategy, or robust = 'mean' with clipFactor.",
    });
  }
  return { ...base, settings, prototypeMemory, serverRate, modelMemory, guard };
}

function usesPrototypes({ fill, alignWeight, evidenceWeight, pseudoLabels }: TrainSettings): boolean {
  return fill === 'pnr' || fill === 'label' || alignWeight > 0 || evidenceWeight > 0 || pseudoLabels > 0;
}
