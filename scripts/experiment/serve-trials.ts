/**
 * A worker's side of the conversation: opens the recordings once, then runs one trial after the other as they come.
 * It ends when its parent does, whatever way the parent ended: the channel closes.
 */
import { createHash } from 'node:crypto';
import { AppError, describeError } from '../../core/base/errors.ts';
import { createNetworkCache } from '../../core/model/network-cache.ts';
import type { DataSet } from '../../core/trace/recording.ts';
import type { DataFacts } from './experiment.ts';
import { runTrial, type TrialWorld } from './run-trial.ts';
import type { Trial, TrialResult } from './trial.ts';
import type { FromWorker, ToWorker } from './worker-protocol.ts';

/** Serves until the parent lets go. @param run what runs a trial; tests put faults here */
export async function serveTrials(
  open: () => Promise<DataSet>,
  run: (trial: Trial, world: TrialWorld) => Promise<TrialResult> = runTrial,
): Promise<void> {
  process.once('disconnect', () => process.exit(0));
  let world: TrialWorld;
  try {
    const dataSet = await open();
    world = { dataSet, networkFor: createNetworkCache(), memory: new Map() };
  } catch (error) {
    const known = error instanceof AppError ? error : new AppError('internal', describeError(error));
    say({ kind: 'unable', code: known.code, what: known.message, where: known.where, hint: known.hint });
    process.disconnect?.();
    return;
  }
  process.on('message', ({ trial }: ToWorker) => {
    run(trial, world).then(
      (result) => say({ kind: 'result', key: trial.key, result }),
      (error) => say({ kind: 'failed', key: trial.key, message: describeError(error) }),
    );
  });
  say({ kind: 'ready', facts: factsOf(world.dataSet) });
}

function say(message: FromWorker): void {
  process.send?.(message, undefined, undefined, () => undefined); // a parent that is gone needs no answer
}

export function factsOf(dataSet: DataSet): DataFacts {
  const { name, recordings, publishedTestSubjects } = dataSet;
  return {
    name,
    subjects: [...new Set(recordings.map(({ subject }) => subject))],
    modalities: [...new Set(recordings.flatMap(({ modalities }) => modalities.map((modality) => modality.name)))],
    hasPublishedSplit: publishedTestSubjects !== null,
    digest: digestOf(dataSet),
  };
}

/** Over every value of every recording: 16 hexadecimal digits. */
function digestOf({ recordings }: DataSet): string {
  const hash = createHash('sha256');
  for (const { subject, modalities, labels } of recordings) {
    hash.update(JSON.stringify([subject, labels, modalities.map(({ name, unit }) => [name, unit])]));
    for (const { values } of modalities)
      hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest('hex').slice(0, 16);
}
