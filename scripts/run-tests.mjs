#!/usr/bin/env node
/**
 * Runs the compiled tests tier by tier with node:test and prints one line a tier, each failure in full, and at the
 * end `N passed, N failed, N skipped`. Zero tests is a failure: a runner that saw nothing has proved nothing.
 *
 *   node scripts/run-tests.mjs [TIER…] [--only PATTERN] [--verbose]
 *
 * TIER: a folder of test/ or `architecture` (the files directly in test/). PATTERN: a regular expression on test names.
 * Without TIER: all but `hardware`, which boots guests and has to be asked for (`npm run test:hardware`).
 * Env: QQR_REQUIRE_SERVICES=1 leaves no tier out and turns every skip into a failure, except those for want of the shared data sets.
 */
import { readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect, parseArgs } from 'node:util';

const EXIT_USAGE = 64;
const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const FILE_TIMEOUT_MS = 900_000;

/** In running order. Files of one tier run side by side unless the tier measures time or needs the machine alone. */
const TIERS = {
  architecture: { folder: '.', concurrency: 1 },
  unit: { folder: 'unit', concurrency: 2 },
  contract: { folder: 'contract', concurrency: 2 },
  golden: { folder: 'golden', concurrency: 2 },
  property: { folder: 'property', concurrency: 2 },
  integration: { folder: 'integration', concurrency: 2 },
  faults: { folder: 'faults', concurrency: 2 },
  browser: { folder: 'browser', concurrency: 1 },
  hardware: { folder: 'hardware', concurrency: 1, isOnRequest: true },
};

function testFiles(folder) {
  const path = join(ROOT, 'dist/test', folder);
  try {
    return readdirSync(path)
      .filter((name) => name.endsWith('.test.js'))
      .sort()
      .map((name) => join(path, name));
  } catch (problem) {
    if (problem.code === 'ENOENT') return [];
    throw problem;
  }
}

/** A test file that ends without having run a test is reported by node:test as one test that bears the file's name. */
const isWholeFile = ({ nesting, name }, files) => nesting === 0 && files.includes(resolve(name));

/** Where a test stands: `test/unit/a.test.ts`, also when node:test names the compiled file. */
function sourceOf(data, files) {
  const path = relative(ROOT, isWholeFile(data, files) ? resolve(data.name) : data.file);
  return path.replace(/^dist\//, '').replace(/\.js$/, '.ts');
}

/** `file › suite › test`; `trail` holds the names of the suites around it. */
function fullNameOf(data, trail, files) {
  const own = isWholeFile(data, files) ? [] : [...trail.slice(0, data.nesting), data.name];
  return [sourceOf(data, files), ...own].join(' › ');
}

const reasonOf = ({ skip, todo }) => (typeof (skip ?? todo) === 'string' ? (skip ?? todo) : 'no reason given');

/** Tests that --only left out are not tests that were skipped. */
const isFilteredOut = (data) => typeof data.skip === 'string' && /name does not match/.test(data.skip);

function failureText(fullName, { details }) {
  const error = details?.error;
  const shown = inspect(error?.cause ?? error, { depth: 8, breakLength: 120 })
    .split('\n')
    .filter((line) => !/^\s+at .*\bnode:/.test(line)) // frames of Node.js itself
    .map((line) => `    ${line}`);
  return [`  ✗ ${fullName}`, ...shown].join('\n');
}

/** Runs one tier's files. Failures are printed as they come, with what the file wrote. */
async function runTier(files, { concurrency, only, verbose }) {
  const result = { passed: 0, failed: 0, skipped: [] };
  const written = new Map();
  const fail = (text, source) => {
    result.failed += 1;
    console.log(text);
    const output = written.get(source)?.trim();
    if (output) console.log(`    --- written by this file so far:\n${output.replace(/^/gm, '    ')}`);
    written.delete(source);
  };
  const options = { files, concurrency, timeout: FILE_TIMEOUT_MS };
  const stream = run(only === undefined ? options : { ...options, testNamePatterns: [only] });
  let trail = []; // node:test reports file after file, even when they run side by side
  for await (const { type, data } of stream) {
    if (type === 'test:start') trail = [...trail.slice(0, data.nesting), data.name];
    if (type === 'test:stdout' || type === 'test:stderr') {
      const source = sourceOf({ ...data, name: data.file, nesting: 0 }, files);
      written.set(source, (written.get(source) ?? '') + data.message);
    }
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const fullName = fullNameOf(data, trail, files);
    if (type === 'test:fail') {
      if (data.details?.error?.failureType === 'subtestsFailed') continue; // its tests have been reported
      fail(failureText(fullName, data), sourceOf(data, files));
    } else if (isWholeFile(data, files)) {
      if (only === undefined) fail(`  ✗ ${fullName}: the file holds no test`, sourceOf(data, files));
    } else if (isFilteredOut(data)) {
      // neither passed nor skipped
    } else if (data.skip !== undefined || data.todo !== undefined) {
      result.skipped.push({ name: fullName, reason: reasonOf(data) });
    } else if (data.details?.type !== 'suite') {
      result.passed += 1;
      if (verbose) console.log(`  ✓ ${fullName} (${data.details.duration_ms.toFixed(0)} ms)`);
    }
  }
  return result;
}

function usualTiers() {
  const isAll = process.env.QQR_REQUIRE_SERVICES === '1';
  return Object.keys(TIERS).filter((tier) => isAll || !TIERS[tier].isOnRequest);
}

function commandLine() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string' }, verbose: { type: 'boolean', default: false } },
  });
  const unknown = positionals.filter((tier) => TIERS[tier] === undefined);
  if (unknown.length > 0) throw new RangeError(`no tier ${unknown.join(', ')}`);
  return {
    tiers: positionals.length === 0 ? usualTiers() : positionals,
    only: values.only === undefined ? undefined : new RegExp(values.only),
    verbose: values.verbose,
  };
}

async function runTiers({ tiers, only, verbose }) {
  const total = { passed: 0, failed: 0, skipped: [] };
  for (const tier of tiers) {
    const files = testFiles(TIERS[tier].folder);
    if (files.length === 0) continue;
    const started = performance.now();
    const result = await runTier(files, { concurrency: TIERS[tier].concurrency, only, verbose });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const counts = `${result.passed} passed, ${result.failed} failed, ${result.skipped.length} skipped`;
    console.log(`${tier.padEnd(13)} ${counts} (${files.length} files, ${seconds} s)`);
    total.passed += result.passed;
    total.failed += result.failed;
    total.skipped.push(...result.skipped);
  }
  return total;
}

/** Prints what was skipped and the totals; the exit status. */
function conclude({ passed, failed, skipped }) {
  if (skipped.length > 0) console.log('\nskipped:');
  for (const { name, reason } of skipped) console.log(`  - ${name}: ${reason}`);
  const unwanted = skipped.filter(({ reason }) => !/shared data/i.test(reason));
  const refused = process.env.QQR_REQUIRE_SERVICES === '1' && unwanted.length > 0;
  if (refused) console.log(`\nQQR_REQUIRE_SERVICES=1: ${unwanted.length} of the skipped tests had to run`);
  const ran = passed + failed + skipped.length;
  if (ran === 0) console.log('no test ran: is dist/ built, and does --only match?');
  console.log(`\n${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  return failed > 0 || refused || ran === 0 ? 1 : 0;
}

async function main() {
  let choice;
  try {
    choice = commandLine();
  } catch (problem) {
    console.error(`${problem.message}\nusage: npm test -- [TIER…] [--only PATTERN] [--verbose]`);
    console.error(`tiers: ${Object.keys(TIERS).join(' ')}`);
    return EXIT_USAGE;
  }
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --enable-source-maps`.trim(); // for the test processes
  return conclude(await runTiers(choice));
}

process.exitCode = await main();
