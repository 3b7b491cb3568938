/** `qqr data windows` and `qqr data check`: what a board would make of a recording. */
import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { Command, Option } from 'commander';
import { writeFileAtomic } from '../../core/base/atomic-file.ts';
import { AppError } from '../../core/base/errors.ts';
import { openDataSet } from '../../core/trace/data-set.ts';
import { checkDataSet, checkText } from './check.ts';
import { type DataCommandContext, print } from './data-command-context.ts';
import { type Rows, windowRows } from './windows-csv.ts';

interface WindowsLine {
  out: string;
  rows: Rows;
  windowSeconds: string;
  overlap: string;
  json?: true;
}

export function checkCommand(context: DataCommandContext): Command {
  return new Command('check')
    .description('what is in a recording: modalities, measured rates, gaps, labels, length, windows')
    .argument('<path>', 'anything that import reads, or a trace')
    .option('--json', 'print it as JSON')
    .action(async (path: string, options: { json?: true }) => {
      const notes: string[] = [];
      const dataSet = await openDataSet(path, context.directory, (text) => notes.push(text));
      const check = checkDataSet(dataSet, notes);
      print(context, options.json, check, checkText(check));
    });
}

export function windowsCommand(context: DataCommandContext): Command {
  return new Command('windows')
    .description('write the windows that a board would cut as a table (docs/traces.md)')
    .argument('<path>', 'anything that import reads, or a trace')
    .requiredOption('--out <file>', 'CSV; gzipped when the name ends in .gz')
    .addOption(
      new Option('--rows <kind>', 'a row per sample, or a row per window with means, deviations and quality')
        .choices(['samples', 'windows'])
        .default('samples'),
    )
    .option('--window-seconds <s>', 'length of a window', '2.56')
    .option('--overlap <share>', 'share of a window that the next one repeats', '0.5')
    .option('--json', 'print the result as JSON')
    .action(async (path: string, { out, rows, windowSeconds, overlap, json }: WindowsLine) => {
      const cutting = {
        windowSeconds: within('--window-seconds', windowSeconds, 0.1, 60),
        overlap: within('--overlap', overlap, 0, 0.9),
      };
      const dataSet = await openDataSet(path, context.directory);
      let written = -1; // the header
      const lines = function* (): Generator<Buffer> {
        for (const text of windowRows(dataSet, cutting, rows)) {
          written++;
          yield Buffer.from(text);
        }
      };
      const table = Readable.from(lines());
      // The callback has nothing to do: an error of either stream surfaces where the last one is read.
      const bytes = out.endsWith('.gz') ? pipeline(table, createGzip(), () => undefined) : table;
      await writeFileAtomic(out, bytes).finally(() => bytes.destroy());
      print(context, json, { out, rows, windows: written }, `${written} windows are now in ${out}\n`);
    });
}

function within(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= most) return value;
  throw new AppError('usage', `${option} takes a number from ${least} to ${most}, not ${text}`);
}
