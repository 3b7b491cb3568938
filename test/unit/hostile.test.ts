/** Boards that mean harm in a simulated fleet: as strong as intake takes, the same ones each time, and told by what they do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { paramLayout } from '../../core/model/params.ts';
import { normOf } from '../../core/qqr/clip.ts';
import { decodeUpdate } from '../../core/wire/decode.ts';
import { DEFAULT_LIMITS } from '../../core/wire/limits.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import { groupShapes, groupValues } from '../../core/wire/model-values.ts';
import type { Update } from '../../core/wire/update.ts';
import { createHostility, HOSTILE_KINDS, type HostileKind } from '../../scripts/replay/hostile.ts';
import { expectationOf, SAMPLE_SPEC, sampleCodedUpdate, sampleStatistics } from '../fixtures/sample-update.ts';

const BOARDS = Array.from({ length: 8 }, (_, i) => `board-${i}`);
const WORLD = { spec: SAMPLE_SPEC, classes: SAMPLE_SPEC.classes, limits: DEFAULT_LIMITS, seed: 5 };
const update = { ...sampleCodedUpdate(), round: 3 };
const from = (device: string): Update => ({ ...update, device });
const fleet = (kind: HostileKind, seed = 5) => createHostility({ kind, share: 0.25 }, BOARDS, { ...WORLD, seed });
const normIn = (of: Update) => normOf(groupValues(of, groupShapes(paramLayout(SAMPLE_SPEC))) ?? []);

/** Devices that send something else than they would. */
function hostileOf(kind: HostileKind, seed?: number): string[] {
  const { sent } = fleet(kind, seed);
  return BOARDS.filter((device) => JSON.stringify(sent(from(device))) !== JSON.stringify(from(device)));
}

test('a quarter of eight boards is two, the same two whatever they do, others by another seed', () => {
  const two = hostileOf('flipped');
  assert.equal(two.length, 2);
  for (const kind of ['scaled', 'reversed', 'noise', 'nan'] as const) assert.deepEqual(hostileOf(kind), two);
  assert.ok(
    Array.from({ length: 5 }, (_, seed) => hostileOf('flipped', seed)).some((other) => `${other}` !== `${two}`),
  );
});

test('what they send is taken, but for what are no numbers, and is as strong as it may be', () => {
  const [device = ''] = hostileOf('flipped');
  const honest = normIn(from(device));
  const strength: Partial<Record<HostileKind, number>> = {};
  for (const kind of HOSTILE_KINDS) {
    const sent = fleet(kind).sent(from(device));
    const decoded = decodeUpdate(encodeUpdate(sent), expectationOf(sent, SAMPLE_SPEC));
    if (kind === 'nan') assert.ok(!decoded.ok && decoded.reason === 'not-finite');
    else assert.ok(decoded.ok, `${kind}: ${JSON.stringify(decoded)}`);
    strength[kind] = normIn(sent);
  }
  const close = (kind: HostileKind, wanted: number) =>
    assert.ok(Math.abs((strength[kind] ?? 0) / wanted - 1) < 1e-3, `${kind}: ${strength[kind]}, not ${wanted}`);
  close('flipped', honest);
  for (const kind of ['scaled', 'reversed'] as const) close(kind, Math.min(100 * honest, 0.99 * 32));
  close('noise', 0.99 * 32);
  for (const kind of ['labels', 'statistics'] as const) close(kind, honest);
});

test('wrong labels are the next class’s, for hostile boards alone, and honest in all else', () => {
  const { told, sent } = fleet('labels');
  const two = BOARDS.filter((device) => told(device, 'walking') !== 'walking');
  assert.deepEqual(two, hostileOf('flipped'));
  assert.equal(told(two[0] as string, 'lying'), 'walking');
  assert.equal(told(two[0] as string, 'something else'), 'something else');
  for (const device of BOARDS) assert.deepEqual(sent(from(device)), from(device));
});

test('round 0 is honest, but for those who lie about it and about nothing else', () => {
  const [device = ''] = hostileOf('flipped');
  const statistics = { ...sampleStatistics(), device };
  for (const kind of HOSTILE_KINDS.filter((one) => one !== 'statistics')) {
    assert.deepEqual(fleet(kind).sent(statistics), statistics);
  }
  const lie = fleet('statistics').sent(statistics);
  assert.ok(decodeUpdate(encodeUpdate(lie), expectationOf(lie, SAMPLE_SPEC)).ok);
  const [before, after] = [statistics, lie].map(({ modalities }) => modalities[0]?.sums);
  assert.equal((after?.sum[0] as number) / 1280 - (before?.sum[0] as number) / 1280, 100);
  assert.deepEqual(fleet('statistics').sent(from(device)), from(device));
});
