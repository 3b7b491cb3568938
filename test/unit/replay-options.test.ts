/** What a person may type after `qqr replay`, and what is refused before anything starts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replayCommand } from '../../scripts/replay/command.ts';
import { parseKinds, parseRate, parseSeeds, parseSplit, parseStrategy } from '../../scripts/replay/options.ts';

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
] as const) {
  test(`${option} ${value} is refused before any window is cut`, async () => {
    const command = replayCommand().exitOverride();
    await assert.rejects(command.parseAsync(['--data', 'watch', option, value], { from: 'user' }), { code: 'usage' });
  });
}
