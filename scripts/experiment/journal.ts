/**
 * `trials.jsonl`: a header, then one line per finished trial, appended the moment it is there.
 * Invariant: the file may end anywhere (the program was killed, the disk was full); whole lines count, a partial last one is cut
 * off before anything is appended, so a line is never glued to the rest of another.
 */
import { appendFile, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from '../../core/base/errors.ts';
import type { DataFacts } from './experiment.ts';
import { type FinishedTrial, TRIAL_FORMAT } from './trial.ts';

export interface JournalHeader {
  readonly format: number;
  readonly experiment: string;
  readonly data: DataFacts;
}

export interface Journal {
  /** By key, in the order in which they finished. */
  readonly finished: ReadonlyMap<string, FinishedTrial>;
  /** Resolves when the line is in the file. */
  append(line: FinishedTrial): Promise<void>;
}

/**
 * Opens the journal, or starts one; `isFresh` throws away what is there.
 * @throws AppError `output-failed` when it is another experiment's, another data set's or of another format
 */
export async function openJournal(path: string, header: JournalHeader, isFresh: boolean): Promise<Journal> {
  await failing(path, () => mkdir(dirname(path), { recursive: true }));
  if (isFresh) await rm(path, { force: true });
  const text = await readIfThere(path);
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const finished = new Map<string, FinishedTrial>();
  if (whole === '') {
    await failing(path, () => writeFile(path, `${JSON.stringify(header)}\n`));
  } else {
    const journal = parseJournal(whole, path);
    refuseOther(journal.header, header, path);
    for (const line of journal.lines) finished.set(line.trial.key, line);
    if (whole.length < text.length) await failing(path, () => truncate(path, Buffer.byteLength(whole)));
  }
  let last: Promise<void> = Promise.resolve();
  return {
    finished,
    append(line) {
      finished.set(line.trial.key, line);
      last = last.then(() => failing(path, () => appendFile(path, `${JSON.stringify(line)}\n`)));
      return last; // after a failed append, which may have left half a line, all others fail too
    },
  };
}

/** Header and lines of a journal's text; a partial last line is ignored. @throws AppError `data-format`. */
export function parseJournal(
  text: string,
  path: string,
): { readonly header: JournalHeader; readonly lines: readonly FinishedTrial[] } {
  const lines = text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1);
  try {
    const [header, ...rest] = lines.map((line) => JSON.parse(line));
    if (typeof header?.experiment !== 'string') throw new SyntaxError('no header');
    return { header, lines: rest };
  } catch (cause) {
    throw new AppError('data-format', 'not the trials of an experiment', {
      where: path,
      hint: 'give another --out, or --fresh to start over',
      cause,
    });
  }
}

function refuseOther(found: JournalHeader, wanted: JournalHeader, path: string): void {
  const what =
    found.format !== TRIAL_FORMAT
      ? 'the folder holds trials of another version of this program'
      : found.experiment !== wanted.experiment
        ? `the folder holds trials of the experiment '${found.experiment}'`
        : found.data.digest !== wanted.data.digest
          ? `the folder holds trials on other recordings (${found.data.name})`
          : null;
  if (what !== null)
    throw new AppError('output-failed', what, { where: path, hint: 'give another --out, or --fresh to start over' });
}

async function readIfThere(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return '';
    throw new AppError('output-failed', 'cannot read the trials that are already there', { where: path, cause });
  });
}

async function failing(path: string, write: () => Promise<unknown>): Promise<void> {
  await write().catch((cause) => {
    throw new AppError('output-failed', 'cannot write the trials', {
      where: path,
      hint: 'check that the folder is writable and has space left; what was written stays',
      cause,
    });
  });
}
