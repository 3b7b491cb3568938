/** The aggregator's settings: the sample file documents exactly what the schema takes, with its defaults. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'smol-toml';
import { z } from 'zod';
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

const SAMPLE = readFileSync(new URL('../../../server/config.sample.toml', import.meta.url), 'utf8'); // from dist/test/unit
/** The sample with its optional keys switched on. */
const COMPLETE = SAMPLE.replaceAll(/^# ([A-Za-z]+ = .+)$/gm, '$1');

/** Paths of all values in tables; arrays of tables count as their first element. */
function keysOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value) && typeof value[0] === 'object') return keysOf(value[0], path);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path];
  return Object.entries(value).flatMap(([key, inner]) => keysOf(inner, path === '' ? key : `${path}.${key}`));
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
}

function schemaKeys({ properties, items }: JsonSchema, path = ''): string[] {
  if (items?.properties !== undefined) return schemaKeys(items, path);
  if (properties === undefined) return [path];
  return Object.entries(properties).flatMap(([key, inner]) => schemaKeys(inner, path === '' ? key : `${path}.${key}`));
}

test('the sample documents every key and no other', () => {
  const documented = keysOf(parse(COMPLETE)).sort();
  const taken = schemaKeys(z.toJSONSchema(serverConfigSchema, { io: 'input' }) as JsonSchema).sort();
  assert.ok(taken.length > 40);
  assert.deepEqual(documented, taken);
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
  assert.equal(paramLayout(spec).total, 20_998);
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
