/**
 * Regret of the fleet's network. The problem is not convex and the best parameters in hindsight are not known, so the comparator is
 * the best that the run itself came to: its final averaged model with its final prototypes, fixed, over the whole stream as it
 * was played (same windows, faults and filling). The online loss is each round's loss under the broadcast model before training;
 * both are the head's own, without what prototypes add to a prediction.
 * What it says: how fast the fleet's loss comes down to that of the model it ends with. A better comparator would give more regret.
 */
import { makeBatch } from '../../core/model/batch.ts';
import { crossEntropyOf } from '../../core/model/evaluate.ts';
import type { GlobalState } from '../../core/model/global-state.ts';
import type { NetworkFor } from '../../core/model/network-cache.ts';
import type { Window } from '../../core/stream/window.ts';
import { specFrom } from '../../server/config.ts';
import { createStrategy } from '../../server/strategies/registry.ts';
import { type FleetOutcome, fleetConfig } from '../replay/fleet.ts';
import type { ReplayOptions } from '../replay/options.ts';
import type { FleetPlan } from '../replay/plan.ts';
import { rounded } from './measured.ts';
import { type RoundLoss, regretAt, regretMetrics } from './regret.ts';

export async function deepRegret(
  plan: FleetPlan,
  options: ReplayOptions,
  seed: number,
  { global, records }: FleetOutcome,
  networkFor: NetworkFor,
): Promise<Record<string, number>> {
  const spec = specFrom(fleetConfig(plan, options, seed, ''));
  const network = await networkFor(spec);
  const { fill, fillTemperature, windowsPerRound } = createStrategy(options.strategy, options.settings).settings;
  const { normalization, prototypes } = global;
  const params = servedParams(global);
  if (normalization === null) throw new RangeError('a run without rounds has no regret');
  const streams = new Map(plan.boards.map(({ device, windows }) => [device, labelled(windows)]));
  const used = new Map<string, number>();
  const losses: RoundLoss[] = [];
  let count = 0;
  for (const { kind, devices, online } of records) {
    if (kind !== 'training' || online === null) continue;
    const windows = devices.flatMap((device) => {
      const from = used.get(device) ?? 0;
      used.set(device, from + windowsPerRound);
      return (streams.get(device) ?? []).slice(from, from + windowsPerRound);
    });
    const batch = makeBatch(
      windows.map((window) => batchWindow(window, plan.classes)),
      spec,
      normalization,
    );
    const { probabilities } = network.infer({ params, prototypes, batch, fill, fillTemperature });
    const comparator = crossEntropyOf(probabilities, batch.labels, spec.classes.length);
    losses.push({ online: online.loss * windows.length, comparator: comparator * windows.length });
    count += windows.length;
  }
  const metrics = regretMetrics(regretAt(losses), count);
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, rounded(value)]));
}

/** The averaged parameters where the outcome has them, else the last ones. */
function servedParams(global: GlobalState & { readonly averaged?: Float32Array }): Float32Array {
  return global.averaged ?? global.params;
}

function labelled(windows: readonly Window[]): readonly Window[] {
  return windows.filter(({ label }) => label !== null);
}

function batchWindow({ values, label }: Window, classes: readonly string[]) {
  return { values, quality: values.map((of) => (of === null ? 0 : 1)), label: classes.indexOf(label ?? '') };
}
