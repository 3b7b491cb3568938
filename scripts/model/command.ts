/** `qqr model`: a fleet's model to take away. */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { writeFileAtomic } from '../../core/base/atomic-file.ts';
import { AppError } from '../../core/base/errors.ts';
import { packageVersion } from '../../core/base/package-version.ts';
import { readToml } from '../../core/base/toml.ts';
import { parseServerConfig, specFrom, strategyFrom } from '../../server/config.ts';
import { storePath } from '../../server/main.ts';
import { type ModelFile, readModelFile } from '../../server/model-file.ts';
import { readArchivedGlobal } from '../../server/store/archive.ts';
import { graphModel } from './graph-model.ts';
import { SAVED_MODEL_FILE, type SavedModel, savedModelFrom, savedModelText } from './saved-model.ts';

const EXAMPLES = `
Examples:
  qqr model export --state /var/lib/qqr-server --out model
      model.json and weights.bin for TensorFlow.js, qqr-model.json for qqr predict
  qqr model export --state replay-state/seed-1/server --out model
      the model of a replay that was run with --state replay-state

Inputs and output of the graph are described in docs/traces.md.`;

interface ExportLine {
  state: string;
  out: string;
  format: 'tfjs' | 'json';
  config?: string;
  json?: true;
}

export function modelCommand(write: (text: string) => void = (text) => void process.stdout.write(text)): Command {
  const model = new Command('model').description("A fleet's model to take away.").addHelpText('after', EXAMPLES);
  model
    .command('export')
    .description('Write the newest model of an aggregator, running or not, into a folder.')
    .requiredOption('--state <dir>', 'state folder of the aggregator')
    .requiredOption('--out <dir>', 'folder for the model')
    .addOption(
      new Option('--format <format>', 'tfjs: a TensorFlow.js graph model beside qqr-model.json; json: the latter alone')
        .choices(['tfjs', 'json'])
        .default('tfjs'),
    )
    .option('--config <file>', 'settings of the aggregator, for a state folder of an earlier version')
    .option('--json', 'print the result as JSON')
    .action(async ({ state, out, format, config, json }: ExportLine) => {
      const where = storePath(state);
      const file = config === undefined ? await readModelFile(state) : await modelFileFrom(config);
      const saved = savedModelFrom(file, readArchivedGlobal(where, file.spec), where);
      const folder = resolve(out);
      const files = await writeModel(saved, folder, format);
      const facts = { folder, files, version: saved.version, classes: saved.spec.classes };
      const text = `the model after ${saved.version} training rounds is now in ${folder}: ${files.join(', ')}\n`;
      write(json ? `${JSON.stringify(facts)}\n` : text);
    });
  return model;
}

/** Writes the model's files and returns their names; the one that `qqr predict` reads comes last. Fails with `output-failed`. */
export async function writeModel(saved: SavedModel, folder: string, format: 'tfjs' | 'json'): Promise<string[]> {
  await mkdir(folder, { recursive: true }).catch((cause) => {
    throw new AppError('output-failed', `cannot create the folder: ${cause.message}`, { where: folder, cause });
  });
  const files: [name: string, content: string | Uint8Array][] = [];
  if (format === 'tfjs') {
    const { model, weights } = graphModel(saved, packageVersion());
    files.push(['weights.bin', weights], ['model.json', `${JSON.stringify(model)}\n`]);
  }
  files.push([SAVED_MODEL_FILE, savedModelText(saved)]);
  for (const [name, content] of files) await writeFileAtomic(join(folder, name), content);
  return files.map(([name]) => name);
}

async function modelFileFrom(path: string): Promise<ModelFile> {
  const config = parseServerConfig(await readToml(path), path);
  const { settings } = strategyFrom(config);
  return { spec: specFrom(config), windowSeconds: config.model.windowSeconds, settings };
}
