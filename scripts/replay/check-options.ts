/** What is refused before a plan is made: options that contradict each other, or name what the data set does not have. */
import { AppError } from '../../core/base/errors.ts';
import type { DataSet } from '../../core/trace/recording.ts';
import type { ReplayOptions } from './options.ts';

/** @throws AppError `usage`. */
export function checkOptions(dataSet: DataSet, options: ReplayOptions): void {
  if (options.order === 'recorded') checkRecordedOrder(options);
  const existing = [...new Set(dataSet.recordings.flatMap(({ modalities }) => modalities.map(({ name }) => name)))];
  checkModalities(options.modalities ?? [], existing, dataSet.name);
  const chosen = options.modalities ?? existing;
  const failing = [options, ...options.phases].flatMap(({ missingModality, degradedModality }) => [
    missingModality ?? [],
    degradedModality ?? [],
  ]);
  checkModalities([...failing.flat(), ...options.outages.map(({ modality }) => modality)], chosen, 'the fleet');
  options.phases.forEach(({ untilRound }, i) => {
    if (untilRound > (options.phases[i - 1]?.untilRound ?? 0)) return;
    throw new AppError('usage', `phase ${i + 1} ends at round ${untilRound}, not after the one before`);
  });
  const { boards } = options;
  if (boards.kind === 'dirichlet' && !(boards.boards >= 1 && boards.alpha > 0)) {
    throw new AppError('usage', `${boards.boards} boards with alpha ${boards.alpha}: both are above 0`);
  }
  if (!(options.labelled > 0 && options.labelled <= 1)) {
    throw new AppError('usage', `the share of labelled windows is ${options.labelled}, not above 0 and at most 1`);
  }
}

/** @throws AppError `usage` when an outage names nobody. */
export function checkOutages({ outages }: ReplayOptions, boards: readonly string[]): void {
  for (const { boards: who } of outages) {
    if (typeof who === 'number' || boards.includes(who)) continue;
    throw new AppError('usage', `an outage names ${who}, who is not a board`, { hint: `boards: ${boards.join(', ')}` });
  }
}

/** Life has one order and happens once. */
function checkRecordedOrder({ boards, fillUp, labelled }: ReplayOptions): void {
  const impossible =
    (boards.kind !== 'subject' && '--boards dirichlet') || (fillUp && '--fill-up') || (labelled < 1 && '--labelled');
  if (impossible === false) return;
  throw new AppError('usage', `${impossible} needs windows in random order`, { hint: 'use --order shuffled' });
}

function checkModalities(names: readonly string[], existing: readonly string[], of: string): void {
  const unknown = names.filter((name) => !existing.includes(name));
  if (unknown.length === 0) return;
  throw new AppError('usage', `no such modality: ${unknown.join(', ')}`, { hint: `${of} has ${existing.join(', ')}` });
}
