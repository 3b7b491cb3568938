/** Who is a board, who is the test, who takes no part; by the options of a replay and a seed. */
import { AppError } from '../../core/base/errors.ts';
import type { Rng } from '../../core/math/rng.ts';
import type { DataSet } from '../../core/trace/recording.ts';
import type { Split } from './options.ts';

export interface SplitSubjects {
  readonly training: readonly string[];
  readonly test: readonly string[];
}

/** @throws AppError `usage` when the split does not fit the data set or leaves nobody to train on. */
export function splitSubjects(dataSet: DataSet, split: Split, seed: number, rng: Rng): SplitSubjects {
  const all = [...new Set(dataSet.recordings.map(({ subject }) => subject))];
  const published = dataSet.publishedTestSubjects;
  if (published === null && (split.kind === 'published' || split.kind === 'validation')) {
    throw new AppError('usage', `${dataSet.name} has no published split`, {
      hint: 'use --split random:N or --test-subjects',
    });
  }
  const subjects = split.kind === 'validation' ? all.filter((subject) => !published?.includes(subject)) : all;
  const test = testSubjects(subjects, split, published ?? [], seed, rng);
  const training = subjects.filter((subject) => !test.includes(subject));
  if (training.length > 0) return { training, test };
  throw new AppError(
    'usage',
    `${test.length} subjects for test leave no board: there are ${subjects.length} (${subjects.join(', ')})`,
    { hint: 'use --split random:N with a smaller N, or add recordings of more people' },
  );
}

function testSubjects(
  subjects: readonly string[],
  split: Split,
  published: readonly string[],
  seed: number,
  rng: Rng,
): readonly string[] {
  switch (split.kind) {
    case 'published':
      return published;
    case 'random':
    case 'validation':
      return rng.fork('split').shuffled(subjects).slice(0, split.testSubjects);
    case 'leave-one-out':
      return [subjects[(seed - 1 + subjects.length) % subjects.length] as string];
    case 'named': {
      const unknown = split.testSubjects.filter((name) => !subjects.includes(name));
      if (unknown.length === 0) return [...new Set(split.testSubjects)];
      throw new AppError('usage', `no such subject: ${unknown.join(', ')}`, {
        hint: `there are ${subjects.join(', ')}`,
      });
    }
  }
}
