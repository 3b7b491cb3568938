/**
 * docs/results.md from the folders that experiments left: the same folders give the same text, with no date in it.
 * Order is the catalogue's; the chapter on where QQR does not help is made from the same summaries as the tables.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../core/base/errors.ts';
import { EXPERIMENTS } from './catalogue.ts';
import { losses } from './losses.ts';
import type { SummaryFile } from './write-outcome.ts';

const HEAD = `# Results

Made by \`qqr experiment results\` from the folders that \`qqr experiment\` left; change the experiments, not this file.
Numbers are mean ± sample standard deviation over seeds, on people that no board has seen unless a table says otherwise.
Where the recordings have a published split, people are the same in every seed: deviations and intervals are over the order of
windows, who gets which, faults and the first model, not over people.
Differences are paired by seed, in brackets their 95 % intervals (Student's t); “not clear” means that the interval includes 0.
“Claimed” is what the paper's abstract and summary say, on other data and with formulas that we do not have: see
[algorithm.md](algorithm.md) for what is the paper's and what is ours. How to run them: [experiments.md](experiments.md).
`;

interface Fragment {
  readonly text: string;
  readonly summary: SummaryFile;
}

/** @throws AppError `input-missing` for a folder without an outcome, `usage` for two of one experiment */
export async function resultsDocument(folders: readonly string[]): Promise<string> {
  const fragments = await Promise.all(folders.map(readFragment));
  const order = EXPERIMENTS.map(({ name }) => name);
  const names = fragments.map(({ summary }) => summary.experiment);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new AppError('usage', `two of the folders hold the experiment '${twice}'`);
  fragments.sort((a, b) => order.indexOf(a.summary.experiment) - order.indexOf(b.summary.experiment));
  return [HEAD, ...fragments.map(({ text }) => text), lossesChapter(fragments)].join('\n');
}

/** From the figures, not from the stored sentences: folders that an earlier version left are judged alike. */
function lossesChapter(fragments: readonly Fragment[]): string {
  const lines = fragments.flatMap(({ summary }) =>
    losses(summary.figures).map((text) => `- ${titleOf(summary.experiment)}: ${text}`),
  );
  const body = lines.length === 0 ? 'There is none.' : lines.join('\n');
  return `## Where QQR does not help\n\n${LOSSES_HEAD}\n\n${body}\n`;
}

const LOSSES_HEAD = `Every comparison above, bytes apart, that speaks against QQR by an interval that leaves out 0: at a place of a table, or over the
whole run where rounds are shown, \`qqr\`, a variant of it (the name begins with \`qqr\`) or \`lean\` is worse than what the table
compares with, or something is better than the QQR that it compares with. In each comparison that makes no difference, chance
puts a line here one time in forty. Tables without a comparison, and those of bits, where all is QQR, speak for themselves.`;

function titleOf(name: string): string {
  return EXPERIMENTS.find((experiment) => experiment.name === name)?.title ?? name;
}

async function readFragment(folder: string): Promise<Fragment> {
  const read = (name: string) =>
    readFile(join(folder, name), 'utf8').catch((cause) => {
      throw new AppError('input-missing', 'the folder holds no outcome of an experiment', {
        where: join(folder, name),
        hint: 'run: qqr experiment NAME --out FOLDER',
        cause,
      });
    });
  const [text, summary] = await Promise.all([read('results.md'), read('summary.json')]);
  return { text, summary: JSON.parse(summary) as SummaryFile };
}
