/** The board's settings: the sample file documents exactly what the schema takes, with its defaults. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'smol-toml';
import { agentConfigSchema, parseAgentConfig } from '../../agent/config.ts';
import { CHIP_NAMES } from '../../agent/sensors/registry.ts';
import { AppError } from '../../core/base/errors.ts';
import { parseServerConfig } from '../../server/config.ts';
import { STRATEGY_NAMES } from '../../server/strategies/registry.ts';
import { completed, keysOf, projectFile, schemaKeys } from '../fixtures/sample-file.ts';

const SAMPLE = projectFile('agent/config.sample.toml');

test("the board's sample documents every key and no other", () => {
  const taken = schemaKeys(agentConfigSchema);
  assert.ok(taken.length >= 11);
  assert.deepEqual(keysOf(parse(completed(SAMPLE))), taken);
});

test("the board's sample shows the defaults, and the one key that has none", () => {
  const sample = parseAgentConfig(parse(SAMPLE), 'sample');
  assert.deepEqual(sample, parseAgentConfig({ device: sample.device }, 'defaults'));
});

test('the samples name every chip and every strategy, and no other', () => {
  const chips = /^# \[\[sensors\]\]\n# (.*)\. +\(required\)$/m.exec(SAMPLE)?.[1] ?? '';
  assert.deepEqual(chips.split(/, | or /), CHIP_NAMES);
  const strategies = /^\[strategy\]\n# (.*) \(docs/m.exec(projectFile('server/config.sample.toml'))?.[1] ?? '';
  const named = strategies.split(/, | or /).map((name) => JSON.parse(name));
  assert.deepEqual(named.sort(), [...STRATEGY_NAMES].sort());
});

test('board and aggregator cut windows of the same length by default, and meet in the same fleet and broker', () => {
  const board = parseAgentConfig({ device: 'pi-1' }, 'defaults');
  const server = parseServerConfig({}, 'defaults');
  assert.equal(board.window.seconds, server.model.windowSeconds);
  assert.equal(board.fleet, server.fleet);
  assert.equal(board.link.url, `mqtt://${server.broker.listen}`);
});

test('what is wrong in a board is named by its key and file', () => {
  const cases: [unknown, RegExp][] = [
    [{}, /^device: /],
    [{ device: 'a/b' }, /^device: /],
    [{ device: 'pi-1', windows: {} }, /^\(top level\): .*windows/],
    [{ device: 'pi-1', window: { overlap: 1 } }, /^window\.overlap: /],
    [{ device: 'pi-1', labels: { cycle: [' sitting'] } }, /^labels\.cycle\.0: .*no label/],
    [{ device: 'pi-1', gpio: { buttons: { 'a\tb': 4 } } }, /^gpio\.buttons\./],
    [{ device: 'pi-1', link: { keepaliveS: 1 } }, /^link\.keepaliveS: /],
    [{ device: 'pi-1', link: { url: 'http://hub:1883' } }, /^link\.url: takes mqtt:.* or mqtts:/],
    [{ device: 'pi-1', link: { url: 'mqtts://me:secret@hub:8883' } }, /^link\.url: takes/],
    [{ device: 'pi-1', link: { ca: 'ca.crt' } }, /^link\.ca: .*mqtts/],
    [{ device: 'pi-1', link: { url: 'mqtts://hub:8883', cert: 'pi.crt' } }, /^link\.key: is missing/],
    [{ device: 'pi-1', link: { url: 'mqtts://hub:8883', key: 'pi.key' } }, /^link\.cert: is missing/],
  ];
  for (const [settings, message] of cases) {
    assert.throws(
      () => parseAgentConfig(settings, 'agent.toml'),
      (error: unknown) =>
        error instanceof AppError &&
        error.code === 'config-invalid' &&
        message.test(error.message) &&
        error.where === 'agent.toml',
    );
  }
});

test("the aggregator's broker takes the same files, and only with TLS", () => {
  const files = { ca: 'ca.crt', cert: 'a.crt', key: 'a.key' };
  const { broker } = parseServerConfig({ broker: { url: 'mqtts://hub:8883', ...files } }, 'server.toml');
  assert.deepEqual({ ca: broker.ca, cert: broker.cert, key: broker.key }, files);
  for (const [settings, message] of [
    [{ url: 'mqtt://hub:1883', ...files }, /^broker\.ca: .*mqtts/],
    [files, /^broker\.ca: .*mqtts/],
    [{ url: 'mqtts://hub:8883', cert: 'a.crt' }, /^broker\.key: is missing/],
  ] as const) {
    assert.throws(() => parseServerConfig({ broker: settings }, 'server.toml'), { message });
  }
});
