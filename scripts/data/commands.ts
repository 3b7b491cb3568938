/** `qqr data`: fetch, import and look at recorded motion. */
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { AppError } from '../../core/base/errors.ts';
import { silentLog } from '../../core/base/log.ts';
import { NAMED_DATA_SETS, openDataSet } from '../../core/trace/data-set.ts';
import { isComplete, readManifest } from '../../core/trace/data-set-folder.ts';
import { type DataCommandContext, print, terminalContext } from './data-command-context.ts';
import { describeDataSet, summaryText } from './describe.ts';
import { fetchWatch } from './fetch.ts';
import { importCommand } from './import-command.ts';
import { checkCommand, windowsCommand } from './windows-command.ts';

const FETCHERS = { watch: fetchWatch } satisfies Record<(typeof NAMED_DATA_SETS)[number], typeof fetchWatch>;

const EXAMPLES = `
Examples:
  qqr data fetch watch                      the demo's data set, 10 people with a smartwatch (11 MB)
  qqr data import 2026-08-28_13-21-44.zip --out walk.csv.gz --subject anna --label walking
                                            a phone's recording, as Sensor Logger or phyphox exported it
  qqr data import HAPT-Data-Set.tar.xz --out hapt
  qqr data check walk.csv.gz                rates as measured, gaps, labels, windows
  qqr data info walk.csv.gz                 one of your own recordings

docs/traces.md says what can be imported, docs/trace-format.md what a trace is.`;

/** The sub-commands; by default they print to standard output, and their progress to standard error. */
export function dataCommand(context: DataCommandContext = terminalContext()): Command {
  const data = new Command('data')
    .description('fetch, import and look at recorded motion')
    .addHelpText('after', EXAMPLES);
  data
    .command('fetch <name>')
    .description(`fetch a data set by name: ${NAMED_DATA_SETS.join(', ')}`)
    .option('--out <dir>', 'folder for it', '(QQR_DATA_DIR or the cache folder)/<name>')
    .option('--json', 'print the result as JSON')
    .action(async (name: string, options: { out: string; json?: true }, command: Command) => {
      const isDefault = command.getOptionValueSource('out') === 'default';
      const folder = isDefault ? join(context.directory, name) : resolve(options.out);
      const result = await fetcherOf(name)(folder, { log: options.json ? silentLog : context.log });
      const text = result === 'present' ? `${name} is already in ${folder}` : `${name} is now in ${folder}`;
      print(context, options.json, { name, folder, result }, `${text}\n`);
    });
  data.addCommand(importCommand(context)).addCommand(checkCommand(context)).addCommand(windowsCommand(context));
  data
    .command('info <path>')
    .description('subjects, modalities, rates, classes, seconds and gaps of a data set or trace')
    .option('--json', 'print it as JSON')
    .action(async (path: string, options: { json?: true }) => {
      const summary = describeDataSet(await openDataSet(path, context.directory));
      print(context, options.json, summary, summaryText(summary));
    });
  data
    .command('list')
    .description('data sets that are known by name, and whether they are here')
    .option('--json', 'print it as JSON')
    .action(async (options: { json?: true }) => {
      const rows = await listed(context.directory);
      const lines = rows.map(({ name, state, folder }) => `${name.padEnd(12)} ${state.padEnd(10)} ${folder}`);
      print(context, options.json, rows, `${lines.join('\n')}\n`);
    });
  return data;
}

/** Everything that can be fetched, and every data set in the data folder. */
async function listed(
  directory: string,
): Promise<{ name: string; state: 'here' | 'incomplete' | 'not here'; folder: string }[]> {
  const present = await readdir(directory).catch((cause): string[] => {
    if (cause.code === 'ENOENT') return [];
    throw new AppError('input-missing', `cannot read the folder: ${cause.message}`, { where: directory, cause });
  });
  const rows = [];
  for (const name of new Set<string>([...NAMED_DATA_SETS, ...present.sort()])) {
    const folder = join(directory, name);
    const hasManifest = present.includes(name) && (await readManifest(folder)) !== null;
    const state = !hasManifest ? 'not here' : (await isComplete(folder)) ? 'here' : 'incomplete';
    if (hasManifest || name in FETCHERS) rows.push({ name, state, folder } as const);
  }
  return rows;
}

function fetcherOf(name: string): typeof fetchWatch {
  if (Object.hasOwn(FETCHERS, name)) return FETCHERS[name as keyof typeof FETCHERS];
  throw new AppError('usage', `no data set '${name}' can be fetched`, {
    hint: `known names: ${NAMED_DATA_SETS.join(', ')}`,
  });
}
