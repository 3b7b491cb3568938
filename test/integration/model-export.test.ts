/** A model that a fleet has learned, taken away: TensorFlow.js alone says the same as we do, and so does `qqr predict`. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { createRng } from '../../core/math/rng.ts';
import { loadBackend } from '../../core/model/backend.ts';
import { makeBatch } from '../../core/model/batch.ts';
import { createNetworkCache } from '../../core/model/network-cache.ts';
import { initParams } from '../../core/model/params.ts';
import { predict } from '../../core/model/predict.ts';
import type { Fill } from '../../core/model/settings.ts';
import type { Window } from '../../core/stream/window.ts';
import { writeRecording } from '../../core/trace/csv-writer.ts';
import { openDataSet } from '../../core/trace/data-set.ts';
import { windowsOf } from '../../core/trace/order.ts';
import { modelCommand, writeModel } from '../../scripts/model/command.ts';
import { readSavedModel, type SavedModel } from '../../scripts/model/saved-model.ts';
import { predictCommand } from '../../scripts/predict/command.ts';
import { createProgress } from '../../scripts/progress.ts';
import { REPLAY_DEFAULTS } from '../../scripts/replay/options.ts';
import { replay } from '../../scripts/replay/replay.ts';
import { readArchivedGlobal } from '../../server/store/archive.ts';
import { SMALL_FLEET } from '../fixtures/small-fleet.ts';
import { syntheticMotion } from '../fixtures/synthetic-motion.ts';
import { failsWith, temporaryFolder } from '../fixtures/trace-folder.ts';

const ROUNDS = 6;
const CLOSE = 1e-5;
const HAPT = join(process.env['QQR_SHARED_DATA'] ?? join(process.cwd(), '../shared/data'), 'HAPT-Data-Set.tar.xz');
const networkFor = createNetworkCache();
const quiet = { progress: createProgress({ stream: process.stderr, enabled: false }) };
const motion = syntheticMotion();

/** The state folder of an aggregator that has led a fleet. */
async function learnedState(t: TestContext, settings: object = {}): Promise<string> {
  const stateDir = await temporaryFolder(t);
  const options = {
    ...SMALL_FLEET,
    rounds: ROUNDS,
    evaluateEvery: ROUNDS,
    stateDir,
    settings: { ...SMALL_FLEET.settings, ...settings },
  };
  await replay(motion, options, quiet);
  return join(stateDir, 'seed-7', 'server');
}

async function run(command: 'model' | 'predict', ...args: string[]): Promise<string> {
  let out = '';
  const write = (text: string) => {
    out += text;
  };
  const made = command === 'model' ? modelCommand(write) : predictCommand(write);
  await made.exitOverride().parseAsync(args, { from: 'user' });
  return out;
}

/** Real windows of the test subject, with the modalities in `gone` taken from every other one. */
function windowsFor({ spec, windowSeconds }: SavedModel, gone: readonly number[] = []): Window[] {
  const recording = motion.recordings.at(-1);
  assert.ok(recording);
  const windows = windowsOf(recording, { wanted: spec.modalities, windowSeconds, overlap: 0.5 }).slice(0, 40);
  return windows.map((window, i) => ({
    ...window,
    values: window.values.map((values, m) => (i % 2 === 1 && gone.includes(m) ? null : values)),
  }));
}

/** Ours, without the second opinion: the graph knows nothing of quality. */
async function ours(saved: SavedModel, windows: readonly Window[]): Promise<Float32Array> {
  const { spec, params, prototypes, temperature, normalization, settings } = saved;
  const quality = spec.modalities.map(() => 1);
  const batch = makeBatch(
    windows.map(({ values }) => ({ values, quality, label: -1 })),
    spec,
    normalization,
  );
  return predict(await networkFor(spec), { params, prototypes, temperature, batch, settings });
}

/** What the graph takes, as plain numbers by name. */
function graphInputs(
  { spec }: SavedModel,
  windows: readonly Window[],
): Record<string, { values: number[]; shape: number[] }> {
  const inputs = spec.modalities.map(({ name, samples, channels }, m) => {
    const values = windows.flatMap((window) => [...(window.values[m] ?? new Float32Array(samples * channels.length))]);
    return [name, { values, shape: [windows.length, samples, channels.length] }] as const;
  });
  const present = windows.flatMap(({ values }) => values.map((of) => (of === null ? 0 : 1)));
  return {
    ...Object.fromEntries(inputs),
    present: { values: present, shape: [windows.length, spec.modalities.length] },
  };
}

async function graphSays(folder: string, inputs: ReturnType<typeof graphInputs>): Promise<Float32Array> {
  const tf = await loadBackend();
  const model = await tf.loadGraphModel(`file://${join(folder, 'model.json')}`);
  const wanted = Object.entries(inputs).filter(([name]) => model.inputs.some((input) => input.name === name));
  const tensors = Object.fromEntries(wanted.map(([name, { values, shape }]) => [name, tf.tensor(values, shape)]));
  const output = model.predict(tensors);
  assert.ok(output instanceof tf.Tensor, 'one output');
  return Float32Array.from(await output.data());
}

/** Returns the largest difference. */
function assertClose(actual: Float32Array, expected: Float32Array, within: number): number {
  assert.equal(actual.length, expected.length);
  const worst = actual.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] as number))), 0);
  assert.ok(worst <= within, `off by ${worst}`);
  return worst;
}

test('a learned model says the same in TensorFlow.js, native and plain, and windows without any sensor get no class', async (t) => {
  const state = await learnedState(t);
  const out = join(await temporaryFolder(t), 'model');
  const said = JSON.parse(await run('model', 'export', '--state', state, '--out', out, '--json'));
  assert.deepEqual(said.files, ['weights.bin', 'model.json', 'qqr-model.json']);
  assert.equal(said.version, ROUNDS);
  const saved = await readSavedModel(out);
  const stored = readArchivedGlobal(join(state, 'rounds.sqlite'), saved.spec);
  assert.deepEqual(saved.params, stored.averaged);
  assert.notDeepEqual(saved.params, stored.params, 'the average, not the last');
  const windows = [...windowsFor(saved, [1]), ...windowsFor(saved, [0, 1]).slice(0, 4)];
  const expected = await ours(saved, windows);
  assert.ok(
    new Set(predictedClasses(expected, saved.spec.classes.length)).size > 1,
    'a model that tells classes apart',
  );
  assert.ok(predictedClasses(expected, saved.spec.classes.length).includes(-1), 'and windows without a sensor');
  const inputs = graphInputs(saved, windows);
  assertClose(await graphSays(out, inputs), expected, CLOSE);
  assertClose(await plainTensorFlowSays(t, out, inputs), expected, CLOSE);
  const { signature, userDefinedMetadata } = JSON.parse(await readFile(join(out, 'model.json'), 'utf8'));
  assert.deepEqual(Object.keys(signature.inputs), ['acc', 'gyr', 'present']);
  assert.deepEqual(userDefinedMetadata.classes, saved.spec.classes);
});

/** The pure JavaScript package in a process that has nothing of ours, fetching the model over HTTP as a page would. */
async function plainTensorFlowSays(
  t: TestContext,
  folder: string,
  inputs: ReturnType<typeof graphInputs>,
): Promise<Float32Array> {
  const server = createServer((request, response) => {
    const name = (request.url ?? '').slice(1);
    if (name === 'inputs.json') response.end(JSON.stringify(inputs));
    else
      readFile(join(folder, name)).then(
        (bytes) => response.end(bytes),
        () => response.writeHead(404).end(),
      );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const program = `
    const tf = require('@tensorflow/tfjs');
    (async () => {
      const model = await tf.loadGraphModel('${base}/model.json');
      const inputs = await (await fetch('${base}/inputs.json')).json();
      const named = {};
      for (const [name, { values, shape }] of Object.entries(inputs)) named[name] = tf.tensor(values, shape);
      console.log(JSON.stringify([tf.getBackend(), Array.from(await model.predict(named).data())]));
    })();`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program], {
    cwd: new URL('../../../', import.meta.url),
  });
  const [backend, values] = JSON.parse(stdout.trim().split('\n').at(-1) as string);
  assert.equal(backend, 'cpu');
  return Float32Array.from(values);
}

function predictedClasses(probabilities: Float32Array, classes: number): number[] {
  return Array.from({ length: probabilities.length / classes }, (_, i) => {
    const row = probabilities.subarray(i * classes, (i + 1) * classes);
    return Math.max(...row) === 0 ? -1 : row.indexOf(Math.max(...row));
  });
}

for (const fill of ['zero-input', 'zero-embedding', 'pnr'] satisfies Fill[]) {
  test(`any shape of network, prototypes with holes and fill ${fill}: the graph computes what we compute`, async (t) => {
    const folder = await temporaryFolder(t);
    const rng = createRng(11);
    for (const windowStatistics of [true, false]) {
      const saved = randomModel(fill, windowStatistics, rng.next);
      await writeModel(saved, folder, 'tfjs');
      const back = await readSavedModel(folder);
      assert.deepEqual(back, saved, 'what is written is read');
      const windows = windowsFor(back, fill === 'pnr' ? [] : [0]);
      assertClose(await graphSays(folder, graphInputs(back, windows)), await ours(back, windows), CLOSE);
    }
  });
}

/** Two modalities of different rates, five classes, two convolutions; class 3 has no prototype of the gyroscope, 4 of neither. */
function randomModel(fill: Fill, windowStatistics: boolean, random: () => number): SavedModel {
  const modality = (name: string, unit: string) => {
    return { name, unit, channels: ['x', 'y', 'z'], sampleRateHz: 25, samples: 64 };
  };
  const spec = {
    modalities: [modality('acc', 'mps2'), modality('gyr', 'radps')],
    classes: ['a', 'b', 'c', 'd', 'e'],
    conv: [
      { filters: 6, kernel: 5, stride: 3 },
      { filters: 4, kernel: 3, stride: 1 },
    ],
    embedding: 8,
    hidden: 7,
    windowStatistics,
  };
  const around = (length: number, size: number) => Float32Array.from({ length }, () => size * (2 * random() - 1));
  const weight = Float64Array.of(3, 2, 1, 4, 0, 3, 2, 1, 0, 0);
  const values = around(10 * 8, 1.5).map((value, i) => ((weight[Math.floor(i / 8)] as number) > 0 ? value : 0));
  return {
    version: 4,
    spec,
    windowSeconds: 2.56,
    settings: { fill, fillTemperature: 0.25, evidenceWeight: 0.7, alignTemperature: 0.2, gateWeight: 0 },
    temperature: 1.7,
    normalization: {
      mean: [Float32Array.of(0.1, -0.2, 9), around(3, 0.2)],
      std: [Float32Array.of(1.5, 2, 0.9), Float32Array.of(0.5, 0.4, 0.7)],
    },
    params: initParams(spec, 5).map((value) => value + 0.05 * (2 * random() - 1)),
    prototypes: { modalities: 2, classes: 5, dim: 8, values, weight },
  };
}

test('the same on people: a subject of HAPT, two rounds, every window of another', async (t) => {
  if (!existsSync(HAPT)) return t.skip('shared data: HAPT-Data-Set.tar.xz is not there');
  const all = await openDataSet(HAPT, '/nowhere');
  const recordings = all.recordings.filter(({ subject }) => ['1', '5'].includes(subject));
  const stateDir = await temporaryFolder(t);
  const options = {
    ...REPLAY_DEFAULTS,
    title: 'hapt',
    split: named('5'),
    seeds: [1],
    rounds: 2,
    evaluateEvery: 2,
    maxTestWindows: 50,
    stateDir,
  };
  await replay({ ...all, recordings }, options, quiet);
  const out = join(stateDir, 'model');
  await run('model', 'export', '--state', join(stateDir, 'seed-1', 'server'), '--out', out);
  const saved = await readSavedModel(out);
  const { spec, windowSeconds } = saved;
  const windows = recordings
    .filter(({ subject }) => subject === '5')
    .flatMap((recording) => windowsOf(recording, { wanted: spec.modalities, windowSeconds, overlap: 0.5 }));
  assert.ok(windows.length > 300, `${windows.length} windows`);
  const worst = assertClose(await graphSays(out, graphInputs(saved, windows)), await ours(saved, windows), CLOSE);
  t.diagnostic(`${windows.length} windows, off by ${worst}`);
});

const named = (subject: string) => ({ kind: 'named', testSubjects: [subject] }) as const;

test('qqr predict: every window with class, confidence and quality; accuracy and confusion where there are labels', async (t) => {
  const folder = await temporaryFolder(t);
  const out = join(folder, 'model');
  await run('model', 'export', '--state', await learnedState(t), '--out', out, '--format', 'json');
  await assert.rejects(readFile(join(out, 'model.json')), { code: 'ENOENT' });
  const recording = motion.recordings.at(-1);
  assert.ok(recording);
  await writeRecording(recording, join(folder, 'di.csv.gz'));
  const said = JSON.parse(await run('predict', join(folder, 'di.csv.gz'), '--model', out, '--json'));
  assert.ok(said.windows.length > 100);
  assert.ok(said.score.accuracy > 0.8, `three classes, chance 0.33: ${said.score.accuracy}`);
  assert.equal(said.score.labelled, said.windows.length);
  const counted = Object.values(said.score.confusion as Record<string, Record<string, number>>).flatMap((row) =>
    Object.values(row),
  );
  assert.equal(
    counted.reduce((sum, count) => sum + count, 0),
    said.windows.length,
  );
  assert.deepEqual(Object.keys(said.windows[0].quality), ['acc', 'gyr']);
  const csv = join(folder, 'p.csv');
  const text = await run('predict', join(folder, 'di.csv.gz'), '--model', out, '--csv', csv);
  const rows = (await readFile(csv, 'utf8')).trim().split('\n');
  assert.equal(rows[0], 'subject,recording,start_s,end_s,class,confidence,label,acc_quality,gyr_quality');
  assert.equal(rows.length, said.windows.length + 1);
  assert.match(text, /% right/);
  const [, gyr] = recording.modalities;
  assert.ok(gyr);
  await writeRecording({ ...recording, modalities: [gyr], labels: [] }, join(folder, 'gyr.csv'));
  const one = JSON.parse(await run('predict', join(folder, 'gyr.csv'), '--model', out, '--json'));
  assert.deepEqual([one.score, one.windows[0].quality.acc, one.windows[0].label], [null, 0, null]);
  assert.match(await run('predict', join(folder, 'gyr.csv'), '--model', out), /none with a label/);
});

test('what cannot be exported or read says why', async (t) => {
  const folder = await temporaryFolder(t);
  const exported = (state: string, ...more: string[]) =>
    run('model', 'export', '--state', state, '--out', join(folder, 'm'), ...more);
  await assert.rejects(exported(folder), failsWith('input-missing', /does not say/));
  const state = await learnedState(t, { shareModel: true });
  const config = join(folder, 'server.toml');
  await writeFile(config, '[model]\nclasses = ["other", "classes"]\n');
  await assert.rejects(exported(state, '--config', config), failsWith('shape-mismatch', /another model/));
  await rm(join(state, 'model.json'));
  await assert.rejects(exported(state), failsWith('input-missing', /does not say/));
  const rates = ['acc', 'gyr'].map((name) => {
    const unit = name === 'acc' ? 'mps2' : 'radps';
    return `[[model.modalities]]\nname = "${name}"\nunit = "${unit}"\nchannels = ["x", "y", "z"]\nsampleRateHz = 25\n`;
  });
  await writeFile(config, `[model]\nclasses = ["rest", "slow", "fast"]\n${rates.join('')}`);
  assert.match(await exported(state, '--config', config), /after 6 training rounds/);
  await rm(join(folder, 'm'), { recursive: true });
  await assert.rejects(readSavedModel(folder), failsWith('input-missing', /no exported model/));
  await writeFile(join(folder, 'qqr-model.json'), '{"format":"other"}');
  await assert.rejects(readSavedModel(folder), failsWith('data-format', /format is 'other'/));
});
