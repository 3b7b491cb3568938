/**
 * docs/results.md from the folders that experiments left: the same folders give the same text, with no date in it.
 * Order is the catalogue's; the chapter on where QQR does not help is made from the same summaries as the tables.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../core/base/errors.ts';
import { EXPERIMENTS } from './catalogue.ts';
import type { SummaryFile } from './write-outcome.ts';

const HEAD = `# Results

Made by \`qqr experiment results\` from the folders that \`qqr experiment\` left; change the experiments, not this file.
Numbers are mean ± sample standard deviation over seeds, on people that no board has seen unless a table says otherwise.
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

function lossesChapter(fragments: readonly Fragment[]): string {
  const lines = fragments.flatMap(({ summary }) =>
    summary.losses.map((text) => `- ${titleOf(summary.experiment)}: ${text}`),
  );
  const body =
    lines.length === 0
      ? 'In no place of the tables above is `qqr` clearly worse than its comparison.'
      : lines.join('\n');
  return `## Where QQR does not help\n\nEvery place where \`qqr\` is worse than the comparison by an interval that leaves out 0:\n\n${body}\n`;
}

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
