/** The model over HTTP: its numbers, its prototypes, and what it makes of the held-out windows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import { createNetworkCache } from '../../core/model/network-cache.ts';
import { getJson, ranFleet, SMALL_MODEL, startHttpFleet } from '../fixtures/http-fleet.ts';
import { TINY_SPEC } from '../fixtures/sample-update.ts';

const LIMIT = { timeout: 30_000 };

test("the model's numbers are the aggregator's, and are sent once", LIMIT, async (t) => {
  const fleet = await ranFleet(t);
  const global = fleet.server.currentGlobal();
  for (const [kind, expected] of [
    ['averaged', global.averaged],
    ['last', global.params],
  ] as const) {
    const response = await fetch(`${fleet.api}/model/parameters?kind=${kind}`);
    assert.deepEqual(new Float32Array(await response.arrayBuffer()), expected);
    const tag = response.headers.get('etag') ?? '';
    const again = await fetch(`${fleet.api}/model/parameters?kind=${kind}`, { headers: { 'If-None-Match': tag } });
    assert.equal(again.status, 304);
    assert.equal((await again.arrayBuffer()).byteLength, 0);
  }
  const model = await getJson<{ parameters: number; groups: { name: string; size: number }[]; version: number }>(
    `${fleet.api}/model`,
  );
  assert.deepEqual(
    model.groups.map(({ name }) => name),
    ['acc', 'gyr', 'head'],
  );
  assert.equal(
    model.groups.reduce((sum, { size }) => sum + size, 0),
    model.parameters,
  );
  assert.equal(model.version, 4);
  const { prototypes, dim } = await getJson<{
    prototypes: { modality: string; class: string; values: number[] }[];
    dim: number;
  }>(`${fleet.api}/prototypes`);
  assert.equal(prototypes.length, 6);
  const values = new Float32Array(await (await fetch(`${fleet.api}/prototypes/values`)).arrayBuffer());
  assert.deepEqual([...values], [...global.prototypes.values]);
  assert.ok(
    prototypes.every((one, i) =>
      one.values.every((value, d) => Math.abs(value - (values[i * dim + d] as number)) < 1e-6),
    ),
  );
});

test('predictions on held-out windows, with what is confused with what', LIMIT, async (t) => {
  const spec = TINY_SPEC;
  const rng = createRng('predictions');
  const clean = Array.from({ length: 40 }, (_, i) => {
    const values = spec.modalities.map(() => Float32Array.from({ length: 128 * 3 }, () => rng.next() + (i % 3)));
    return { values: i === 7 ? [null, null] : values, quality: i === 7 ? [0, 0] : [1, 1], label: i % 3 };
  });
  const evaluation = { network: await createNetworkCache()(spec), windows: { clean, degraded: {} } };
  const config = { rounds: { boards: 1, max: 1, quorum: 1 }, model: { ...SMALL_MODEL, windowStatistics: false } };
  const fleet = await startHttpFleet(t, { evaluation, config });
  assert.equal((await fetch(`${fleet.api}/predictions`)).status, 409, 'no scale yet');
  await fleet.board('a').start();
  const record = await fleet.closed(1);
  await fleet.server.finished;
  const said = await getJson<{
    confusion: number[][];
    unsure: number;
    accuracy: number;
    examples: { predicted: string | null; confidence: number; window: number }[];
  }>(`${fleet.api}/predictions?limit=40`);
  assert.equal(said.unsure, 1);
  assert.equal(
    said.confusion.flat().reduce((sum, count) => sum + count, 0),
    39,
  );
  assert.deepEqual(
    said.confusion.map((row) => row.reduce((sum, count) => sum + count, 0)),
    [14, 12, 13],
  );
  const right = said.confusion.reduce((sum, row, label) => sum + (row[label] as number), 0);
  assert.equal(said.accuracy, right / 40);
  assert.equal(said.accuracy, record.evaluation?.clean, 'as the round was evaluated');
  assert.equal(said.examples.length, 40);
  assert.equal(said.examples[7]?.predicted, null);
});
