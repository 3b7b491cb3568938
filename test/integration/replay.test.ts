/** The replay as a person meets it: it learns, it is reproducible, its JSON says what it should, and bad input is explained. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Recording } from '../../core/trace/recording.ts';
import { createProgress } from '../../scripts/progress.ts';
import { planFleet } from '../../scripts/replay/plan.ts';
import { replay } from '../../scripts/replay/replay.ts';
import { SMALL_FLEET, WINDOWS_PER_ROUND } from '../fixtures/small-fleet.ts';
import { syntheticMotion } from '../fixtures/synthetic-motion.ts';

const quiet = { progress: createProgress({ stream: process.stderr, enabled: false }) };

test('a replay learns from failing sensors, and the same seeds give the same bits', async () => {
  const options = { ...SMALL_FLEET, seeds: [1, 2] };
  const first = await replay(syntheticMotion(), options, quiet);
  const second = await replay(syntheticMotion(), options, quiet);
  assert.equal(first.backend, 'tensorflow');
  assert.equal(first.boards, 3);
  assert.equal(first.rounds, SMALL_FLEET.rounds);
  assert.ok(first.accuracy.clean.mean > 0.8, `three classes, chance 0.33: ${first.accuracy.clean.mean}`);
  assert.deepEqual(Object.keys(first.accuracy.missing), ['acc', 'gyr']);
  assert.deepEqual(Object.keys(first.accuracy.degraded), ['acc', 'gyr']);
  const { prototypes, model, total, fp32 } = first.bytes.perBoardRound;
  assert.ok(
    prototypes > 0 && model > prototypes && total > prototypes + model && fp32 > 8 * total,
    'quantized and counted',
  );
  const digests = ({ perSeed }: typeof first) => perSeed.map(({ digest }) => digest);
  assert.deepEqual(digests(second), digests(first));
  assert.notEqual(first.perSeed[0]?.digest, first.perSeed[1]?.digest);
});

test('recordings played in recorded order and with FedAvg run through the same parts', async () => {
  const result = await replay(
    syntheticMotion(),
    { ...SMALL_FLEET, order: 'recorded', strategy: 'fedavg', rounds: 4 },
    quiet,
  );
  assert.equal(result.rounds, 4);
  assert.equal(result.bytes.perBoardRound.prototypes, 0);
});

test('a replay ends while most boards still take part, unless told to use every recording up', () => {
  const motion = syntheticMotion();
  const [first, ...rest] = motion.recordings;
  const shortened = { ...motion, recordings: [firstHalf(first as Recording), ...rest] };
  const rounds = (boardsLeft: number) =>
    planFleet(shortened, { ...SMALL_FLEET, rounds: 1000, boardsLeft }, WINDOWS_PER_ROUND, 1).rounds;
  assert.ok(
    rounds(1) < rounds(0.6),
    `${rounds(1)} < ${rounds(0.6)}: the short recording counts when all must be there`,
  );
  assert.ok(rounds(0) >= rounds(0.6));
});

function firstHalf(recording: Recording): Recording {
  const modalities = recording.modalities.map((modality) => {
    const samples = Math.floor(modality.tUs.length / 2);
    const values = modality.values.slice(0, samples * modality.channels.length);
    return { ...modality, tUs: modality.tUs.slice(0, samples), values };
  });
  return { ...recording, modalities };
}

test('a split that leaves no board says which subjects there are', async () => {
  const split = { kind: 'random', testSubjects: 4 } as const;
  await assert.rejects(replay(syntheticMotion(), { ...SMALL_FLEET, split }, quiet), {
    code: 'usage',
    message: /leave no board.*ada, bo, cy, di/,
  });
});

test('subjects, classes and folders that make no sense are refused before anything is played', async () => {
  const all = { kind: 'named', testSubjects: ['ada', 'bo', 'cy', 'di'] } as const;
  await assert.rejects(replay(syntheticMotion(), { ...SMALL_FLEET, split: all }, quiet), { code: 'usage' });
  const none = { kind: 'random', testSubjects: 0 } as const;
  await assert.rejects(replay(syntheticMotion(), { ...SMALL_FLEET, split: none }, quiet), {
    code: 'usage',
    message: /no labelled window is left for test/,
  });
  await assert.rejects(replay(syntheticMotion(), { ...SMALL_FLEET, classes: ['rest', 'fats'] }, quiet), {
    code: 'usage',
    message: /labelled fats/,
    hint: /fast, rest, slow/,
  });
});
