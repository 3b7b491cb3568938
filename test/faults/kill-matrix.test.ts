/**
 * kill -9 of aggregator, agent, learner and broker at every phase of a round, in real processes over the embedded broker and over
 * Mosquitto, while the rounds go on. Then everything is killed and the databases are judged: every window used once and in order,
 * every update counted once, none lost, and every state of the aggregator is what the boards' own payloads add up to, bit for bit.
 * A kill only counts when the victim reports that it has come to its phase. QQR_TEST_KILL_RUNS sets how many kills there are (default:
 * every second phase of every victim once, the seed says which), QQR_TEST_SEED when they strike.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import { median } from '../../core/math/stats.ts';
import { judgeFleet } from '../fixtures/fleet-verdict.ts';
import { brokerVolleys, type Volley, volleysOf } from '../fixtures/kill-phases.ts';
import { type BrokerChoice, createKillableFleet, type Kill, type KillableFleet } from '../fixtures/killable-fleet.ts';
import { MOSQUITTO_MISSING } from '../fixtures/mosquitto-process.ts';

const RUNS = Number(process.env['QQR_TEST_KILL_RUNS'] ?? 0);
const SEED = Number(process.env['QQR_TEST_SEED'] ?? 20261129);
/** What a fleet has of recording for each volley: more than the slowest recovery was seen to take on a busy machine. */
const SECONDS_A_VOLLEY = 60;
const IS_LONG = RUNS > 0;

interface Row {
  runs: number;
  readonly recoveriesMs: number[];
}

const table = new Map<string, Row>();

async function live(t: TestContext, broker: BrokerChoice, volleys: readonly Volley[], seed: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'qqr-kills-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const fleet = await createKillableFleet(folder, broker, seed, 60 + volleys.length * SECONDS_A_VOLLEY);
  try {
    await fleet.start();
    await fleet.untilClosed(1);
    for (const volley of volleys) await strikeAll(fleet, volley);
    await fleet.untilClosed(fleet.closedRound() + 2);
    await fleet.untilSettled();
  } finally {
    await fleet.end();
  }
  const verdict = judgeFleet(fleet);
  const summary =
    `${broker}, seed ${seed}: ${volleys.flat().length} kills; ${verdict.rounds} rounds, ${verdict.updates} updates from ` +
    `${verdict.windows} windows: lost ${verdict.lost}, double ${verdict.double}, ${verdict.statesAgreed} states as the boards' payloads add up`;
  t.diagnostic(summary);
  progress(summary);
  assert.equal(verdict.statesAgreed, verdict.rounds);
}

/** All at once; each is over when a round has closed that opened after its last blow. */
async function strikeAll(fleet: KillableFleet, volley: Volley): Promise<void> {
  await Promise.all(
    volley.map(async (kill) => {
      const blows = await fleet.strike(kill);
      await fleet.untilClosed(fleet.closedRound() + 2);
      const recoveryMs = Date.now() - (blows.at(-1)?.wallMs as number);
      for (const { phase } of blows) note(rowName(kill, phase, fleet.broker), volley.length === 1 ? recoveryMs : null);
    }),
  );
}

function rowName({ victim, isForgetful }: Kill, phase: string, broker: BrokerChoice): string {
  if (victim === 'broker') return `broker ${phase} ${broker}, its file ${isForgetful ? 'lost' : 'kept'}`;
  return `${victim} ${phase} ${broker}`;
}

function note(name: string, recoveryMs: number | null): void {
  const row = table.get(name) ?? { runs: 0, recoveriesMs: [] };
  table.set(name, row);
  row.runs++;
  if (recoveryMs !== null) row.recoveriesMs.push(recoveryMs);
  progress(`${name} ${recoveryMs ?? ''}`);
}

/** A test tells its diagnostics at its end only, and the long form is long. */
function progress(line: string): void {
  if (IS_LONG) console.log(`${new Date().toISOString()} ${line}`);
}

/** Lives of fleets one after another until that many kills have struck; in the first one they strike one at a time. */
async function liveLong(t: TestContext, broker: BrokerChoice, kills: number): Promise<void> {
  let struck = 0;
  for (let life = 0; struck < kills; life++) {
    const seed = SEED + life;
    const volleys = volleysOf(broker, createRng(`${seed}/${broker}`), life === 0);
    await live(t, broker, volleys, seed);
    struck += volleys.flat().reduce((sum, { thenAt }) => sum + (thenAt === null ? 1 : 2), 0);
  }
}

/** The short form: a half that the seed draws, so that a run takes minutes and other seeds come to the other phases. */
function halfOf(volleys: readonly Volley[]): readonly Volley[] {
  return volleys.filter((_, i) => i % 2 === SEED % 2);
}

describe('kill -9 at every phase', { concurrency: 2 }, () => {
  test(`over the embedded broker (seed ${SEED})`, (t) => {
    if (IS_LONG) return liveLong(t, 'embedded', RUNS / 2);
    return live(t, 'embedded', halfOf(volleysOf('embedded', createRng(`${SEED}/embedded`), false)), SEED);
  });

  test(`over Mosquitto (seed ${SEED})`, { skip: MOSQUITTO_MISSING ?? false }, (t) => {
    if (IS_LONG) return liveLong(t, 'mosquitto', RUNS / 2);
    return live(t, 'mosquitto', halfOf(brokerVolleys(createRng(`${SEED}/mosquitto`))), SEED);
  });

  after(() => {
    if (!IS_LONG) return;
    for (const [name, { runs, recoveriesMs }] of [...table].sort()) {
      const seconds = (ms: number) => (ms / 1000).toFixed(1).padStart(5);
      const times =
        recoveriesMs.length === 0 ? '' : `${seconds(median(recoveriesMs))} s ${seconds(Math.max(...recoveriesMs))} s`;
      console.log(`${name.padEnd(55)} ${String(runs).padStart(4)} ${times}`);
    }
    console.log(`${[...table.values()].reduce((sum, { runs }) => sum + runs, 0)} kills`);
  });
});
