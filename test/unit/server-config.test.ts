/** The aggregator's settings: the sample file documents exactly what the schema takes, with its defaults. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'smol-toml';
import { AppError } from '../../core/base/errors.ts';
import { paramLayout } from '../../core/model/params.ts';
import { MAX_WEIGHT, WEIGHT_PER_WINDOW } from '../../core/wire/limits.ts';
import {
  parseServerConfig,
  roundSettingsFrom,
  serverConfigSchema,
  specFrom,
  strategyFrom,
} from '../../server/config.ts';
import { qqr } from '../../server/strategies/qqr.ts';
import { completed, keysOf, projectFile, schemaKeys } from '../fixtures/sample-file.ts';

const SAMPLE = projectFile('server/config.sample.toml');
const COMPLETE = completed(SAMPLE);

test('the sample documents every key and no other', () => {
  const taken = schemaKeys(serverConfigSchema);
  assert.ok(taken.length > 40);
  assert.deepEqual(keysOf(parse(COMPLETE)), taken);
});

test("the sample's values are the defaults", () => {
  assert.deepEqual(parseServerConfig(parse(SAMPLE), 'sample'), parseServerConfig({}, 'nothing'));
});

test("the sample's commented strategy settings are those of qqr", () => {
  const config = parseServerConfig(parse(COMPLETE), 'sample');
  assert.deepEqual(strategyFrom(config), qqr);
});

test('the default model is the reference network', () => {
  const spec = specFrom(parseServerConfig({}, 'nothing'));
  assert.deepEqual(
    spec.modalities.map(({ name, samples }) => [name, samples]),
    [
      ['acc', 128],
      ['gyr', 128],
    ],
  );
  assert.equal(paramLayout(spec).total, 21_382);
});

test('what is wrong is named by its key', () => {
  const cases: [unknown, RegExp][] = [
    [{ rounds: { quorum: 0 } }, /^rounds\.quorum: /],
    [{ rounds: { qorum: 1 } }, /^rounds: .*qorum/],
    [{ strategy: { modelBits: 9 } }, /^strategy\.modelBits: takes 1 to 8, or 32/],
    [{ strategy: { name: 'best' } }, /^strategy\.name: /],
    [{ broker: { listen: 'here' } }, /^broker\.listen: takes HOST:PORT/],
    [{ model: { classes: ['a', 'a'] } }, /^model\.classes: names a class twice/],
    [{ fleet: 'a/b' }, /^fleet: /],
  ];
  for (const [settings, message] of cases) {
    assert.throws(
      () => parseServerConfig(settings, 'server.toml'),
      (error: unknown) =>
        error instanceof AppError &&
        error.code === 'config-invalid' &&
        message.test(error.message) &&
        error.where === 'server.toml',
    );
  }
});

test('settings of rounds come in milliseconds, and a round never asks for more than a weight can say', () => {
  const config = parseServerConfig(
    { rounds: { deadlineS: 1.5, boards: 3 }, strategy: { windowsPerRound: 1024 } },
    'test',
  );
  assert.equal(roundSettingsFrom(config).deadlineMs, 1500);
  assert.equal(roundSettingsFrom(config).minBoards, 3);
  assert.equal(strategyFrom(config).settings.windowsPerRound * WEIGHT_PER_WINDOW, MAX_WEIGHT);
});

test('a holdout without a model to evaluate is refused before a round is played', () => {
  const parsed = (name: string, holdout: string[]) =>
    parseServerConfig({ strategy: { name }, evaluation: { holdout } }, 'test');
  assert.throws(
    () => strategyFrom(parsed('local-only', ['someone.csv'])),
    (error: unknown) =>
      error instanceof AppError && error.code === 'config-invalid' && error.where === 'evaluation.holdout',
  );
  strategyFrom(parsed('local-only', []));
  strategyFrom(parsed('qqr', ['someone.csv']));
});
