import assert from 'node:assert/strict';
import test from 'node:test';
import { AppError } from '../../core/base/errors.ts';
import { topics } from '../../core/wire/topics.ts';

const home = topics('home.lab');

test('every topic of a fleet is under its prefix', () => {
  const all = [home.roundCurrent, home.roundClosed, home.globalModel, home.globalPrototypes, home.up('pi-1')];
  const more = [
    home.upFilter,
    home.receipt('pi-1'),
    home.status('pi-1'),
    home.statusFilter,
    home.state('pi-1'),
    home.stateFilter,
  ];
  assert.deepEqual(
    [...all, ...more],
    [
      'qqr/v1/home.lab/round/current',
      'qqr/v1/home.lab/round/closed',
      'qqr/v1/home.lab/global/model',
      'qqr/v1/home.lab/global/prototypes',
      'qqr/v1/home.lab/up/pi-1',
      'qqr/v1/home.lab/up/+',
      'qqr/v1/home.lab/receipt/pi-1',
      'qqr/v1/home.lab/status/pi-1',
      'qqr/v1/home.lab/status/+',
      'qqr/v1/home.lab/state/pi-1',
      'qqr/v1/home.lab/state/+',
    ],
  );
});

test('the device is read back from its own topics only', () => {
  for (const topic of [home.up('pi-1'), home.status('pi-1'), home.receipt('pi-1'), home.state('pi-1')])
    assert.equal(home.deviceOf(topic), 'pi-1');
  const foreign = [
    'qqr/v1/homeXlab/up/pi-1',
    'qqr/v1/other/up/pi-1',
    'qqr/v1/home.lab/down/pi-1',
    'x/qqr/v1/home.lab/up/pi-1',
  ];
  const broken = [
    'qqr/v1/home.lab/up/',
    'qqr/v1/home.lab/up/a/b',
    'qqr/v1/home.lab/up/a b',
    `qqr/v1/home.lab/up/${'x'.repeat(65)}`,
  ];
  for (const topic of [...foreign, ...broken, home.roundCurrent, 'qqr/v1/home.lab/up/pi\n'])
    assert.equal(home.deviceOf(topic), null, topic);
});

test('a name that would change the topic is refused as configuration', () => {
  const isConfigError = (error: unknown) => error instanceof AppError && error.code === 'config-invalid';
  for (const bad of ['', 'a/b', '+', '#', 'ä', 'a b', 'x'.repeat(65), 'a\n']) {
    assert.throws(() => topics(bad), isConfigError, bad);
    assert.throws(() => home.up(bad), isConfigError, bad);
    assert.throws(() => home.receipt(bad), isConfigError, bad);
    assert.throws(() => home.status(bad), isConfigError, bad);
  }
});
