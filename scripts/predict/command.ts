/** `qqr predict`: what an exported model says of a recording. */
import { Command } from 'commander';
import { writeFileAtomic } from '../../core/base/atomic-file.ts';
import { AppError } from '../../core/base/errors.ts';
import { createNetworkCache } from '../../core/model/network-cache.ts';
import { openDataSet } from '../../core/trace/data-set.ts';
import { dataDirectory } from '../data/data-directory.ts';
import { readSavedModel } from '../model/saved-model.ts';
import {
  DONT_KNOW,
  predictDataSet,
  predictionsCsv,
  type Score,
  scoreOf,
  type WindowPrediction,
} from './predict-trace.ts';

const EXAMPLES = `
Examples:
  qqr predict walk.csv.gz --model model
      a line per window: when, what, how sure, how good each sensor was
  qqr predict 2026-08-28_13-21-44.zip --model model --csv predictions.csv
      a phone's recording as the app exported it; the windows as a table`;

interface Line {
  model: string;
  overlap: string;
  csv?: string;
  json?: true;
}

export function predictCommand(write: (text: string) => void = (text) => void process.stdout.write(text)): Command {
  return new Command('predict')
    .description("Predict a recording's windows with an exported model.")
    .argument('<trace>', 'a trace, or whatever else qqr data import reads')
    .requiredOption('--model <dir>', 'folder that qqr model export has written')
    .option('--overlap <share>', 'share of a window that the next one repeats', '0.5')
    .option('--csv <file>', 'write the windows as a table')
    .option('--json', 'print one JSON object')
    .addHelpText('after', EXAMPLES)
    .action(async (trace: string, { model, overlap, csv, json }: Line) => {
      const saved = await readSavedModel(model);
      const dataSet = await openDataSet(trace, dataDirectory());
      const network = await createNetworkCache()(saved.spec);
      const windows = predictDataSet(network, saved, dataSet, parseOverlap(overlap));
      const modalities = saved.spec.modalities.map(({ name }) => name);
      if (csv !== undefined) await writeFileAtomic(csv, predictionsCsv(windows, modalities));
      const score = scoreOf(windows, saved.spec.classes);
      if (json) write(`${JSON.stringify({ modelVersion: saved.version, windows, score })}\n`);
      else write(`${csv === undefined ? windowLines(windows, modalities) : ''}${summary(windows, score)}`);
    });
}

export function parseOverlap(text: string): number {
  const overlap = Number(text);
  if (text.trim() !== '' && overlap >= 0 && overlap <= 0.9) return overlap;
  throw new AppError('usage', `--overlap takes a number from 0 to 0.9, not ${text}`);
}

function windowLines(windows: readonly WindowPrediction[], modalities: readonly string[]): string {
  const width = Math.max(0, ...windows.map((window) => (window.class ?? DONT_KNOW).length));
  const lines = windows.map(({ subject, startS, class: predicted, confidence, label, quality }) => {
    const of = modalities.map((name) => `${name} ${(quality[name] as number).toFixed(2)}`).join('  ');
    const truth = label === null ? '' : `  (${label})`;
    const sure = `${(100 * confidence).toFixed(0).padStart(3)} %`;
    return `${subject}  ${startS.toFixed(2).padStart(9)} s  ${(predicted ?? DONT_KNOW).padEnd(width)}  ${sure}  ${of}${truth}\n`;
  });
  return lines.join('');
}

function summary(windows: readonly WindowPrediction[], score: Score | null): string {
  if (score === null) return `${windows.length} windows, none with a label of the model\n`;
  const { labelled, accuracy, confusion } = score;
  const share = (100 * accuracy).toFixed(1);
  const lines = [
    `${windows.length} windows, ${labelled} with a label of the model: ${share} % right`,
    '',
    'label: predicted',
  ];
  for (const [label, row] of Object.entries(confusion)) {
    const cells = Object.entries(row).sort(([, a], [, b]) => b - a);
    lines.push(`  ${label}: ${cells.map(([name, count]) => `${name} ${count}`).join(', ')}`);
  }
  return `${lines.join('\n')}\n`;
}
