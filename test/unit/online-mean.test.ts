/** Means over the stream: by predictions, and as well as they can be told from older records. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measuredOf } from '../../scripts/experiment/measured.ts';
import { onlineMean } from '../../scripts/replay/online-mean.ts';
import { describeRound } from '../../server/describe-round.ts';
import type { OnlineScore, RoundRecord } from '../../server/record.ts';
import { SAMPLE_SPEC, sampleUpdate } from '../fixtures/sample-update.ts';

function recordOf(online: OnlineScore | null, boards: number): RoundRecord {
  const update = { ...sampleUpdate(), round: 1 };
  const updates = Array.from({ length: boards }, (_, i) => ({ ...update, device: `board-${i}` }));
  const open = { round: 1, kind: 'training', modelVersion: 0, asked: [] } as const;
  const facts = { open, version: 1, updates, taken: [], rejected: {}, durationMs: 0, evaluation: null };
  return { ...describeRound(facts, SAMPLE_SPEC), online };
}

const accuracy = (score: OnlineScore) => score.accuracy;

test('a round says how many predictions its means are of', () => {
  const update = sampleUpdate();
  const updates = [
    update,
    { ...update, device: 'x', online: { ...update.online, correct: 1, count: 2, lossSum: 6.75 } },
  ];
  const open = { round: 1, kind: 'training', modelVersion: 0, asked: [] } as const;
  const facts = { open, version: 1, updates, taken: [], rejected: {}, durationMs: 0, evaluation: null };
  assert.deepEqual(describeRound(facts, SAMPLE_SPEC).online, { accuracy: 9 / 12, loss: 1, count: 12 });
});

test('rounds count by their predictions, not by their boards', () => {
  const records = [
    recordOf({ accuracy: 1, loss: 0.5, count: 30 }, 1),
    recordOf({ accuracy: 0, loss: 2.5, count: 10 }, 3),
    recordOf(null, 2),
  ];
  assert.equal(onlineMean(records, accuracy), 0.75);
  const { metrics } = measuredOf({ records, sentBytes: 0 });
  assert.deepEqual([metrics['online/accuracy'], metrics['online/loss']], [0.75, 1]);
});

test('where a record does not tell, all count by their boards; where nothing was predicted there is no mean', () => {
  const records = [recordOf({ accuracy: 1, loss: 0 }, 1), recordOf({ accuracy: 0, loss: 0, count: 1000 }, 3)];
  assert.equal(onlineMean(records, accuracy), 0.25);
  assert.ok(Number.isNaN(onlineMean([recordOf(null, 2)], accuracy)));
  assert.equal(measuredOf({ records: [recordOf(null, 2)], sentBytes: 0 }).metrics['online/accuracy'], undefined);
});
