/** `qqr data`: fetch, import and look at recorded motion. */
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { AppError } from '../../core/base/errors.ts';
import { type Log, silentLog } from '../../core/base/log.ts';
import { NAMED_DATA_SETS, openDataSet } from '../../core/trace/data-set.ts';
import { isComplete, readManifest, writeDataSetFolder } from '../../core/trace/data-set-folder.ts';
import { dataDirectory } from './data-directory.ts';
import { describeDataSet, summaryText } from './describe.ts';
import { fetchWatch } from './fetch.ts';

const FETCHERS = { watch: fetchWatch } satisfies Record<(typeof NAMED_DATA_SETS)[number], typeof fetchWatch>;

const EXAMPLES = `
Examples:
  qqr data fetch watch                      the demo's data set, 10 people with a smartwatch (11 MB)
  qqr data import HAPT-Data-Set.tar.xz --out hapt
  qqr data info walk.csv.gz                 one of your own recordings

The trace format is described in docs/trace-format.md.`;

/** What the sub-commands touch besides the files that their arguments name. */
export interface DataCommandContext {
  readonly write: (text: string) => void;
  readonly log: Log;
  /** Where fetched data sets are kept. */
  readonly directory: string;
}

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
  data
    .command('import <path>')
    .description('write any data set that can be read as a folder of traces')
    .requiredOption('--out <dir>', 'folder for the traces and dataset.json')
    .option('--json', 'print the result as JSON')
    .action(async (path: string, options: { out: string; json?: true }) => {
      const folder = resolve(options.out);
      if ((await readManifest(folder)) !== null) {
        throw new AppError('output-failed', 'the folder holds a data set already', {
          where: folder,
          hint: 'give another --out',
        });
      }
      const dataSet = await openDataSet(path, context.directory);
      await writeDataSetFolder(dataSet, folder);
      const files = dataSet.recordings.length;
      print(
        context,
        options.json,
        { name: dataSet.name, folder, files },
        `${files} ${files === 1 ? 'trace is' : 'traces are'} now in ${folder}\n`,
      );
    });
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

function print(context: DataCommandContext, isJson: true | undefined, facts: unknown, text: string): void {
  context.write(isJson ? `${JSON.stringify(facts)}\n` : text);
}

function terminalContext(): DataCommandContext {
  return {
    write: (text) => void process.stdout.write(text),
    log: { ...silentLog, info: (_, message) => void process.stderr.write(`${message} …\n`) },
    directory: dataDirectory(),
  };
}
