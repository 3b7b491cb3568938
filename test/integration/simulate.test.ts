/** A simulated fleet is what boards and aggregator come to over MQTT and SQLite: the same rounds, parameters and bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNetworkCache } from '../../core/model/network-cache.ts';
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
