/**
 * What a closed round says about itself: sums over the counted updates, as `record.ts` defines them.
 * Invariant: updates come sorted by device, so that floating-point sums do not depend on the order of arrival.
 */
import { paramLayout } from '../core/model/params.ts';
import type { ModelSpec } from '../core/model/spec.ts';
import { sizeOfParts } from '../core/wire/messages.ts';
import type { Update } from '../core/wire/update.ts';
import type { TakenChange } from './combine.ts';
import type { Evaluation, RoundRecord } from './record.ts';
import type { OpenRound } from './store/round-store.ts';

export interface ClosedFacts {
  readonly open: OpenRound;
  readonly version: number;
  readonly updates: readonly Update[];
  readonly taken: readonly TakenChange[];
  readonly rejected: Readonly<Record<string, number>>;
  readonly durationMs: number;
  readonly evaluation: Evaluation | null;
}

export function describeRound(facts: ClosedFacts, spec: ModelSpec): RoundRecord {
  const { open, updates } = facts;
  const late = updates.flatMap(({ device, round }) => (round < open.round ? { device, round } : []));
  const clipped = facts.taken.filter(({ wasClipped }) => wasClipped).map(({ device }) => device);
  return {
    round: open.round,
    kind: open.kind,
    version: facts.version,
    devices: updates.filter(({ round }) => round === open.round).map(({ device }) => device),
    ...(late.length > 0 && { late }),
    rejected: facts.rejected,
    ...(clipped.length > 0 && { clipped }),
    durationMs: facts.durationMs,
    bytes: totalBytes(updates, paramLayout(spec).total),
    modalities: Object.fromEntries(spec.modalities.map(({ name }, m) => [name, modalityFacts(updates, m)])),
    online: open.kind === 'statistics' ? null : onlineFacts(updates),
    evaluation: facts.evaluation,
  };
}

function totalBytes(updates: readonly Update[], paramCount: number): RoundRecord['bytes'] {
  const sizes = updates.map((update) => sizeOfParts(update, paramCount));
  return {
    prototypes: sum(sizes, (size) => size.prototypes),
    model: sum(sizes, (size) => size.model),
    payload: sum(sizes, (size) => size.payload),
    fp32: sum(sizes, (size) => size.fp32),
  };
}

function modalityFacts(updates: readonly Update[], m: number): RoundRecord['modalities'][string] {
  const windows = sum(updates, (update) => update.windows);
  const present = sum(updates, (update) => update.modalities[m]?.windowsPresent ?? 0);
  const quality = sum(updates, ({ modalities }) => {
    const report = modalities[m];
    return report === undefined ? 0 : report.meanQuality * report.windowsPresent;
  });
  return {
    meanQuality: present === 0 ? null : quality / present,
    missingShare: windows === 0 ? 0 : 1 - present / windows,
  };
}

/** Null when no window was predicted. */
function onlineFacts(updates: readonly Update[]): RoundRecord['online'] {
  const count = sum(updates, (update) => update.online.count);
  if (count === 0) return null;
  return {
    accuracy: sum(updates, (update) => update.online.correct) / count,
    loss: sum(updates, (update) => update.online.lossSum) / count,
    count,
  };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
