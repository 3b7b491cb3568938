/** A simulated fleet is what boards and aggregator come to over MQTT and SQLite: the same rounds, parameters and bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Network } from '../../core/model/network.ts';
import { createNetworkCache } from '../../core/model/network-cache.ts';
import { paramLayout } from '../../core/model/params.ts';
import type { ModelSpec } from '../../core/model/spec.ts';
import { runFleet } from '../../scripts/replay/fleet.ts';
import type { ReplayOptions } from '../../scripts/replay/options.ts';
import { simulateFleet } from '../../scripts/replay/simulate.ts';
import type { RoundRecord } from '../../server/record.ts';
import { SMALL_FLEET, smallPlan } from '../fixtures/small-fleet.ts';
import { assertClose } from '../golden/close.ts';

const SEED = 7;
const networkFor = createNetworkCache();

/** What no timing and no rounding of float32 sums decides. */
function countedOf({ evaluation, online, durationMs, bytes, ...counted }: RoundRecord) {
  return { ...counted, fp32: bytes.fp32, isEvaluated: evaluation !== null };
}

async function both(changes: Partial<ReplayOptions>) {
  const options: ReplayOptions = { ...SMALL_FLEET, rounds: 4, evaluateEvery: 4, ...changes };
  const ignore = () => undefined;
  const real = await runFleet(smallPlan(options), options, SEED, networkFor, ignore);
  const told: RoundRecord[] = [];
  const simulated = await simulateFleet(smallPlan(options), options, SEED, networkFor, (record) => told.push(record));
  assert.deepEqual(told, simulated.records);
  assert.ok(real.records.length > 3);
  assert.deepEqual(simulated.records.map(countedOf), real.records.map(countedOf));
  return { real, simulated };
}

function assertBytes(simulated: number, real: number, share: number): void {
  assert.ok(Math.abs(simulated / real - 1) <= share, `${simulated} bytes, over MQTT ${real}`);
}

for (const strategy of ['qqr', 'fedavg', 'plr'] as const) {
  test(`${strategy} in float32: the same model and prototypes to 1e-4, the same bytes`, async () => {
    const windowsPerRound = SMALL_FLEET.settings.windowsPerRound as number;
    const { real, simulated } = await both({
      strategy,
      settings: { windowsPerRound, modelBits: 32, prototypeBits: 32 },
    });
    assert.equal(simulated.global.version, real.global.version);
    assertClose(simulated.global.params, real.global.params, 1e-4);
    assertClose(simulated.global.prototypes.values, real.global.prototypes.values, 1e-4);
    assert.deepEqual(simulated.global.prototypes.weight, real.global.prototypes.weight);
    assert.deepEqual(
      simulated.records.map(({ bytes }) => bytes),
      real.records.map(({ bytes }) => bytes),
    );
    assertBytes(simulated.sentBytes, real.sentBytes, 0.03);
    const last = simulated.records.at(-1)?.evaluation;
    assert.ok(last && Math.abs(last.clean - (real.records.at(-1)?.evaluation?.clean ?? 0)) <= 0.02);
  });
}

test('in few bits the codes have as many bytes, up to what entropy coding makes of a changed code', async () => {
  const { real, simulated } = await both({});
  const sum = (records: readonly RoundRecord[]) => records.reduce((total, { bytes }) => total + bytes.payload, 0);
  assertBytes(sum(simulated.records), sum(real.records), 0.01);
  assertBytes(simulated.sentBytes, real.sentBytes, 0.03);
});

test('few labels, and guesses for the others: the same rounds of the same windows', async () => {
  const settings = { ...SMALL_FLEET.settings, modelBits: 32, prototypeBits: 32, pseudoLabels: 0.6 };
  const { real, simulated } = await both({ labelled: 0.5, settings });
  assertClose(simulated.global.params, real.global.params, 1e-4);
});

test('boards that keep their models: no model travels, and the test is the mean over boards', async () => {
  const { real, simulated } = await both({ strategy: 'local-only' });
  assert.deepEqual(simulated.global.params, real.global.params);
  assert.ok(simulated.records.every(({ bytes }) => bytes.model === 0));
  const connecting = (real.sentBytes - simulated.sentBytes) / 3; // three boards: packets that the simulation leaves out
  assert.ok(connecting > 0 && connecting < 500, `${connecting} bytes a board`);
});

async function simulated(changes: Partial<ReplayOptions>, networks = networkFor) {
  const options: ReplayOptions = { ...SMALL_FLEET, rounds: 2, evaluateEvery: 1, ...changes };
  return simulateFleet(smallPlan(options), options, SEED, networks, () => undefined);
}

test('where boards keep their models they are tested as the fleet would be, averaged over rounds', async () => {
  const evaluations = async (modelMemory: number) =>
    (await simulated({ strategy: 'local-only', settings: { ...SMALL_FLEET.settings, modelMemory } })).records.map(
      ({ evaluation }) => evaluation?.calibration?.untempered,
    );
  const [averaged, last] = [await evaluations(0.8), await evaluations(0)];
  assert.equal(averaged[1], last[1], 'the first trained model is taken whole');
  assert.notEqual(averaged[2], last[2]);
});

test('a board with too few windows for a round has its say in the statistics round, and in no other', async () => {
  const options: ReplayOptions = { ...SMALL_FLEET, rounds: 1, missingRate: 0, degradedRate: 0 };
  const whole = smallPlan(options);
  const boards = whole.boards.map((board, i) => (i === 0 ? { ...board, windows: board.windows.slice(0, 3) } : board));
  const { records } = await simulateFleet({ ...whole, boards }, options, SEED, networkFor, () => undefined);
  assert.deepEqual(
    records.map(({ devices }) => devices.length),
    [3, 2],
  );
  assert.deepEqual(
    Object.values(records[0]?.modalities ?? {}).map(({ missingShare }) => missingShare),
    [0, 0],
  );
});

/** Of the first board's change, codes of 2 bits make about twice as much: each value but two lies just above half a step. */
function overstepping(spec: ModelSpec, network: Network): Network {
  const step = 0.25;
  const trainAll: Network['trainAll'] = (inputs) =>
    network.trainAll(inputs).map((out, board) => {
      if (board > 0) return out;
      const params = inputs[0]?.params.map((value) => value + 0.51 * step) ?? out.params;
      for (const { offset, size } of paramLayout(spec).groups.flatMap(({ tensors }) => tensors)) {
        params[offset] = (params[offset] as number) - 0.51 * step;
        params[offset + size - 1] = (params[offset + size - 1] as number) + 2.49 * step;
      }
      return { ...out, params };
    });
  return { ...network, trainAll };
}

test('what an aggregator would refuse does not count here either, and is told by its reason', async () => {
  const settings = { ...SMALL_FLEET.settings, modelBits: 2 };
  const networks = async (spec: ModelSpec) => overstepping(spec, await networkFor(spec));
  const { records } = await simulated({ settings, rounds: 1 }, networks);
  assert.deepEqual(records[1]?.rejected, { 'norm-too-large': 1 });
  assert.equal(records[1]?.devices.length, 2);
});
