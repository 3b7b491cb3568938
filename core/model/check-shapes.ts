/** What a network refuses to compute with. */
import { AppError } from '../base/errors.ts';
import type { PrototypeSet } from '../qqr/prototype.ts';
import type { TrainInput } from './network.ts';
import type { ParamLayout } from './params.ts';
import type { ModelSpec } from './spec.ts';

/** @throws AppError `shape-mismatch` when parameters or prototypes are another network's. */
export function checkShapes(
  spec: ModelSpec,
  layout: ParamLayout,
  params: Float32Array,
  prototypes: PrototypeSet,
): void {
  const hint =
    'Board and aggregator must share one model spec; take parameters and prototypes from the same broadcast.';
  if (params.length !== layout.total) {
    throw new AppError('shape-mismatch', `${params.length} parameters where the network has ${layout.total}`, { hint });
  }
  const { modalities, classes, dim } = prototypes;
  if (modalities !== spec.modalities.length || classes !== spec.classes.length || dim !== spec.embedding) {
    const wanted = [spec.modalities.length, spec.classes.length, spec.embedding].join(' × ');
    const got = [modalities, classes, dim].join(' × ');
    throw new AppError('shape-mismatch', `prototypes of ${got} where the network has ${wanted}`, { hint });
  }
}

/** @throws RangeError unless all boards have the same settings and as many windows. */
export function checkBoards(boards: readonly TrainInput[]): void {
  const [first] = boards;
  const isAlike = boards.every(
    ({ batch, settings, rehearsals }) =>
      batch.size === first?.batch.size &&
      settings === first.settings &&
      rehearsals?.length === first.rehearsals?.length,
  );
  if (!isAlike) throw new RangeError('boards that train side by side need one batch size and one settings object');
}
