/** What a person may type after `qqr replay`, and what is refused before anything starts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replayCommand } from '../../scripts/replay/command.ts';
import {
  parseOutage,
  parsePhase,
  parseScope,
  parseSeverity,
  parseTestFaults,
} from '../../scripts/replay/failure-options.ts';
import {
  parseBoards,
  parseKinds,
  parseRate,
  parseSeeds,
  parseSplit,
  parseStrategy,
} from '../../scripts/replay/options.ts';

test('seeds are a count or a list', () => {
  assert.deepEqual(parseSeeds('3'), [1, 2, 3]);
  assert.deepEqual(parseSeeds('7,3'), [7, 3]);
  for (const wrong of ['0', '', '-1', '1.5', 'x', '1,y', '3,', '3,3'])
    assert.throws(() => parseSeeds(wrong), { code: 'usage' }, wrong);
});

test('rates are shares or per cent', () => {
  assert.equal(parseRate('0.5'), 0.5);
  assert.equal(parseRate('50%'), 0.5);
  for (const wrong of ['2', '-0.1', '150%', 'half', '', '%'])
    assert.throws(() => parseRate(wrong), { code: 'usage' }, wrong);
});

test('a split is published, drawn or named', () => {
  assert.deepEqual(parseSplit('published'), { kind: 'published' });
  assert.deepEqual(parseSplit('random:3'), { kind: 'random', testSubjects: 3 });
  assert.deepEqual(parseSplit('ada, bo'), { kind: 'named', testSubjects: ['ada', 'bo'] });
});

test('a split may be drawn from the training subjects only, or go through everybody', () => {
  assert.deepEqual(parseSplit('validation:3'), { kind: 'validation', testSubjects: 3 });
  assert.deepEqual(parseSplit('leave-one-out'), { kind: 'leave-one-out' });
  assert.deepEqual(parseSplit('leave-out:p3'), { kind: 'named', testSubjects: ['p3'] });
});

test('boards are by subject or dealt', () => {
  assert.deepEqual(parseBoards('subject'), { kind: 'subject' });
  assert.deepEqual(parseBoards('dirichlet:5:0.3'), { kind: 'dirichlet', boards: 5, alpha: 0.3 });
  for (const wrong of ['dirichlet', 'dirichlet:0:1', 'dirichlet:5:0', 'dirichlet:5', 'people'])
    assert.throws(() => parseBoards(wrong), { code: 'usage' }, wrong);
});

test('scopes and severities', () => {
  assert.equal(parseScope('round'), 'round');
  assert.throws(() => parseScope('fleet'), { code: 'usage', hint: /board-round, round, board/ });
  assert.deepEqual(parseSeverity('0.4-1'), [0.4, 1]);
  assert.deepEqual(parseSeverity('70%'), [0.7, 0.7]);
  for (const wrong of ['1-0.4', '2', '', '0.1-0.2-0.3', '-1'])
    assert.throws(() => parseSeverity(wrong), { code: 'usage' }, wrong);
});

test('a phase names its last round and what is different until then', () => {
  assert.deepEqual(parsePhase('10:missing=90%,missing-per=round,degraded-modality=any'), {
    untilRound: 10,
    missingRate: 0.9,
    missingPer: 'round',
    degradedModality: null,
  });
  for (const wrong of ['10', '0:missing=1', '10:', '10:kinds=noise', '10:missing', '10:toString=1', '10:missing=2'])
    assert.throws(() => parsePhase(wrong), { code: 'usage' }, wrong);
});

test('an outage names boards, modality and rounds', () => {
  assert.deepEqual(parseOutage('anna:gyr:10-20'), { boards: 'anna', modality: 'gyr', fromRound: 10, untilRound: 20 });
  assert.deepEqual(parseOutage('50%:acc:5-'), { boards: 0.5, modality: 'acc', fromRound: 5, untilRound: null });
  assert.deepEqual(parseOutage('all:acc:5-5'), { boards: 1, modality: 'acc', fromRound: 5, untilRound: 5 });
  for (const wrong of ['anna:gyr', 'anna:gyr:20-10', 'anna:gyr:0-3', ':gyr:1-2', 'anna:gyr:x-2'])
    assert.throws(() => parseOutage(wrong), { code: 'usage' }, wrong);
});

test('test faults', () => {
  assert.deepEqual(parseTestFaults(''), []);
  assert.deepEqual(parseTestFaults('kinds, nothing,0.4'), ['kinds', 'nothing', 0.4]);
  assert.throws(() => parseTestFaults('all'), { code: 'usage' });
});

test('unknown kinds of fault and strategies name the known ones', () => {
  assert.deepEqual(parseKinds('noise,stuck'), ['noise', 'stuck']);
  assert.throws(() => parseKinds('noise,rust'), { code: 'usage', hint: /noise, clip, stuck, drift, burst/ });
  assert.throws(() => parseStrategy('best'), { code: 'usage', hint: /fedavg.*qqr/ });
});

for (const [option, value] of [
  ['--overlap', '1.5'],
  ['--window-seconds', 'abc'],
  ['--rounds', '0'],
  ['--speed', '0'],
  ['--boards', 'dirichlet:0:1'],
  ['--missing-per', 'always'],
  ['--severity', '0.9-0.1'],
  ['--phase', 'later'],
  ['--outage', 'gyr'],
  ['--labelled', '120%'],
  ['--test-faults', 'everything'],
] as const) {
  test(`${option} ${value} is refused before any window is cut`, async () => {
    const command = replayCommand().exitOverride();
    await assert.rejects(command.parseAsync(['--data', 'watch', option, value], { from: 'user' }), { code: 'usage' });
  });
}
