#!/usr/bin/env node
/**
 * Brings a fresh checkout to the point where `npm run demo`, `npm test` or `qqr` runs: dependencies, native add-ons,
 * build, and the demo's data or the tests' programs. One line a step; a step that has nothing to do says so.
 * Invariants: standard library only (nothing is installed yet when it starts); running it again changes nothing and
 * takes about a second; what a person must do is said in one sentence, with exit status 69.
 * Env: QQR_REQUIRE_SERVICES=1 makes a missing mosquitto, chromium, promtool or schemathesis an error instead of a note.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { filesUnder, outputOf, removeStaleOutputs } from './build-outputs.mjs';
import { ensureSchemathesis } from './schemathesis.mjs';
import { ensurePrograms } from './test-programs.mjs';

const EXIT_USAGE = 64;
const EXIT_UNAVAILABLE = 69;
const EXIT_BUILD = 70;
const OLDEST_NODE = [20, 19];
const PURPOSES = ['demo', 'test', 'hardware', 'run'];
const SOURCE_FOLDERS = ['core', 'agent', 'server', 'scripts', 'test'];

/** Something the person at the keyboard has to do first. */
class SetupProblem extends Error {
  constructor(message, exit = EXIT_UNAVAILABLE) {
    super(message);
    this.exit = exit;
  }
}

function say(step, what) {
  console.log(`setup  ${step.padEnd(13)} ${what}`);
}

/** Tools that compiling the native add-ons needs, as { need, install } for those that are missing. */
export function missingTools(runs = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0) {
  const missing = [];
  if (!runs('python3', ['--version'])) missing.push({ need: 'Python 3', install: 'python3 python3-pip' });
  else if (!runs('python3', ['-m', 'pip', '--version'])) missing.push({ need: 'pip', install: 'python3-pip' });
  if (!['g++', 'c++', 'clang++'].some((compiler) => runs(compiler, ['--version']))) {
    missing.push({ need: 'a C++ compiler', install: 'g++' });
  }
  if (!runs('make', ['--version'])) missing.push({ need: 'make', install: 'make' });
  return missing;
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new SetupProblem(`Node.js ${process.version} is too old: install Node.js ${OLDEST_NODE.join('.')} or newer`);
}

function checkTools() {
  const missing = missingTools();
  if (missing.length === 0) return;
  const needs = missing.map((tool) => tool.need).join(', ');
  const packages = missing.map((tool) => tool.install).join(' ');
  throw new SetupProblem(`missing: ${needs}. On Debian, Ubuntu or Raspberry Pi OS: sudo apt-get install ${packages}`);
}

/** Whether every package that the lock file demands is installed in exactly that version. */
export function dependenciesFit(root) {
  const installedList = join(root, 'node_modules', '.package-lock.json'); // written by npm after a complete install
  if (!existsSync(installedList)) return false;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedList, 'utf8')).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    if (installed[path] === undefined) return entry.optional === true;
    return installed[path].version === entry.version && installed[path].integrity === entry.integrity;
  });
}

/** Runs a long command with its output in a log file; the end of the log is shown when it fails. */
function runLogged(command, args, { root, name, env = {} }) {
  const log = join(mkdtempSync(join(tmpdir(), 'qqr-setup-')), `${name}.log`);
  const out = openSync(log, 'w');
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', out, out],
  });
  if (status === 0) {
    rmSync(dirname(log), { recursive: true });
    return;
  }
  const tail = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-40).join('\n');
  throw new SetupProblem(`${command} ${args.join(' ')} failed (whole log: ${log}):\n${error ?? tail}`);
}

/** Node's own headers, when they came with it, so that node-gyp downloads none. */
function headerEnv() {
  const prefix = dirname(dirname(process.execPath));
  const given = process.env.npm_config_nodedir !== undefined || !existsSync(join(prefix, 'include/node/node_api.h'));
  return given ? {} : { npm_config_nodedir: prefix };
}

function installDependencies(root) {
  checkTools();
  say('dependencies', 'npm ci (about two minutes the first time: downloads TensorFlow, compiles three add-ons) …');
  const started = Date.now();
  runLogged('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'], {
    root,
    name: 'npm-ci',
    env: headerEnv(),
  });
  say('dependencies', `installed in ${Math.round((Date.now() - started) / 1000)} s`);
}

const ADD_ON_CHECK = `
  const tf = require('@tensorflow/tfjs-node');
  if (tf.getBackend() !== 'tensorflow') throw new Error('TensorFlow.js runs on the backend ' + tf.getBackend());
  new (require('better-sqlite3'))(':memory:').close();
`;

function addOnsLoad(root) {
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' };
  const { status, stderr } = spawnSync(process.execPath, ['-e', ADD_ON_CHECK], { cwd: root, env, encoding: 'utf8' });
  return status === 0 ? null : stderr;
}

/** Loads the native add-ons once per lock file and Node version; a failure is repaired by one fresh install. */
function checkAddOns(root) {
  const stamp = join(root, 'node_modules', '.add-ons-load');
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const key = `${process.version} ${process.arch} ${lock}`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return say('add-ons', 'load (checked before)');
  let problem = addOnsLoad(root);
  if (problem !== null) {
    say('add-ons', 'do not load with this Node.js: installing afresh');
    installDependencies(root);
    problem = addOnsLoad(root);
  }
  if (problem !== null) throw new SetupProblem(`the native add-ons do not load:\n${problem}`);
  writeFileSync(stamp, key);
  say('add-ons', 'load: TensorFlow, SQLite');
}

/** Changes when a source, its time or the compiler's settings change. */
function sourceFingerprint(root) {
  const hash = createHash('sha256').update(process.version);
  const sources = SOURCE_FOLDERS.flatMap((folder) => filesUnder(root, folder)).filter((path) => path.endsWith('.ts'));
  for (const path of [...sources, 'tsconfig.json', 'package-lock.json']) {
    const { mtimeMs, size } = statSync(join(root, path));
    hash.update(`${path} ${mtimeMs} ${size}\n`);
  }
  return { key: hash.digest('hex'), sources };
}

function build(root) {
  const stamp = join(root, 'dist', '.sources');
  const { key, sources } = sourceFingerprint(root);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return say('build', 'up to date');
  const started = Date.now();
  if (sources.some((source) => outputOf(source) !== null && !existsSync(join(root, outputOf(source))))) {
    rmSync(join(root, 'dist', '.tsbuildinfo'), { force: true }); // else tsc trusts outputs that are gone
  }
  const { status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.json'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) throw new SetupProblem('the sources do not compile (see above)', EXIT_BUILD);
  const removed = removeStaleOutputs(root);
  writeFileSync(stamp, key);
  const stale = removed.length === 0 ? '' : `, ${removed.length} stale files removed`;
  say('build', `${sources.length} files in ${((Date.now() - started) / 1000).toFixed(1)} s${stale}`);
}

function fetchDemoData(root) {
  const args = [join(root, 'dist/scripts/qqr.js'), 'data', 'fetch', 'watch'];
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new SetupProblem("the demo's data cannot be fetched (see above)");
  say('demo data', stdout.trim().split('\n').at(-1) || 'ready');
}

function checkPrograms(purpose) {
  const missing = ensurePrograms(say, purpose);
  for (const { name, tests } of missing) say('programs', `${name} is not installed: ${tests} will be skipped`);
  if (missing.length === 0 || process.env.QQR_REQUIRE_SERVICES !== '1') return;
  throw new SetupProblem(
    `QQR_REQUIRE_SERVICES=1: sudo apt-get install ${missing.map(({ name, from = name }) => from).join(' ')}`,
  );
}

function checkSchemathesis() {
  const problem = ensureSchemathesis(say);
  if (problem === null) return;
  if (process.env.QQR_REQUIRE_SERVICES === '1') throw new SetupProblem(`schemathesis cannot be installed:\n${problem}`);
  say('schemathesis', 'cannot be installed: the outside check of the HTTP API will be skipped');
}

/** The guest that the hardware tests boot; idempotent, and says itself what it lacks. */
function prepareGuest(root) {
  say('guest', 'QEMU, kernel and its modules (about a minute and a half the first time) …');
  runLogged('bash', [join(root, 'test/hardware/guest/prepare.sh')], { root, name: 'guest' });
  say('guest', 'ready');
}

function setUp(root, purpose) {
  checkNode();
  if (dependenciesFit(root)) say('dependencies', 'up to date');
  else installDependencies(root);
  checkAddOns(root);
  build(root);
  if (purpose !== 'run') fetchDemoData(root);
  if (purpose === 'test' || purpose === 'hardware') {
    checkPrograms(purpose);
    checkSchemathesis();
  }
  if (purpose === 'hardware') prepareGuest(root);
}

function main(args) {
  const purpose = args.length === 2 && args[0] === '--for' ? args[1] : undefined;
  if (!PURPOSES.includes(purpose)) {
    console.error(`usage: node scripts/setup.mjs --for ${PURPOSES.join('|')}`);
    return EXIT_USAGE;
  }
  try {
    setUp(dirname(dirname(fileURLToPath(import.meta.url))), purpose);
    return 0;
  } catch (problem) {
    if (!(problem instanceof SetupProblem)) throw problem;
    console.error(`setup  ${problem.message}`);
    return problem.exit;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = main(process.argv.slice(2));
