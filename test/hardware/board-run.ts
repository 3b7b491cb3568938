/**
 * A whole board on a real kernel: `qqr agent run` reads a chip over /dev/i2c-N, an aggregator and a learner that never rests beside
 * it, the chip moved by a person's recording. Afterwards the board's database is held against what the chip really felt, and when:
 * each stored sample, the times of the windows, and the windows themselves against those of the recording played directly.
 * QQR_HARDWARE_SECONDS: how long each run is watched (20); from 60 on also the run that an emulated processor may not keep up with.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { recordedMotion } from '../../agent/hw/sim/motion.ts';
import type { TimedChip } from '../../agent/hw/sim/powered-chip.ts';
import { SIMULATED_CHIPS } from '../../agent/hw/sim/registry.ts';
import type { MotionSource } from '../../agent/hw/sim/simulated-chip.ts';
import { noFaults } from '../../agent/hw/sim/surroundings.ts';
import type { ChipName } from '../../agent/sensors/registry.ts';
import { openAgentStore } from '../../agent/store/agent-store.ts';
import { readRecording } from '../../core/trace/csv-reader.ts';
import { dataDirectory } from '../../scripts/data/data-directory.ts';
import type { BoardFacts, BoardRun, Load } from './board-facts.ts';
import { createBoard } from './guest/board.ts';
import { boardCalls } from './guest/board-calls.ts';
import { type GuestRun, missingGuest, runGuest } from './guest/boot.ts';
import { LINES } from './inside/wiring.ts';
import { type ChipTruth, heldAgainst, type RunFindings, type Samples } from './run-findings.ts';

const TRACE = join(dataDirectory(), 'watch', '1-1.csv.gz');
const PROGRAM = fileURLToPath(new URL('./inside/board-run.js', import.meta.url));
const SECONDS = Number(process.env['QQR_HARDWARE_SECONDS'] ?? 20);
/** Of the chip's oscillator: real ones are off by percents. */
const RATE_ERROR = 0.01;

const RUNS: readonly (BoardRun & { readonly isSure: boolean })[] = [
  { chip: 'mpu6050', address: 0x68, rateHz: 100, seconds: SECONDS, isSure: true },
  // 0.3 s fit into its FIFO; a kilohertz, to the nearest rate that the chip has
  { chip: 'lsm6dsox', address: 0x6a, rateHz: 833, seconds: SECONDS, isSure: false },
  // 85 ms fit
  ...(SECONDS < 60 ? [] : [{ chip: 'mpu6050', address: 0x68, rateHz: 1000, seconds: SECONDS, isSure: false } as const]),
];

async function recordedMoves(): Promise<(startUs: number) => MotionSource> {
  const [acc, gyr] = (await readRecording(TRACE)).modalities;
  if (acc === undefined || gyr === undefined) throw new Error(`${TRACE} lacks a sensor`);
  return (startUs) => trembling(recordedMotion({ tUs: acc.tUs, acc: acc.values, gyr: gyr.values }, 'loop', startUs));
}

/**
 * A little movement on top, a function of time like the recording: there are seconds in which it stands still to the last digit, which
 * no sensor does, and a stuck one would be found.
 */
function trembling(motion: MotionSource): MotionSource {
  return (tUs) => {
    const { acc, gyr, ...rest } = motion(tUs);
    const shake = Math.sin((2 * Math.PI * 7.3 * tUs) / 1e6);
    return {
      ...rest,
      acc: [acc[0] + 0.05 * shake, acc[1] - 0.03 * shake, acc[2] + 0.04 * shake],
      gyr: [gyr[0] - 0.02 * shake, gyr[1] + 0.03 * shake, gyr[2] + 0.02 * shake],
    };
  };
}

function createMovedBoard(moves: (startUs: number) => MotionSource) {
  const board = createBoard({ lines: LINES, random: () => 0.5 });
  const truths: ChipTruth[] = [];
  const calls = {
    ...boardCalls(board),
    /** This chip alone is on the bus from now on, and feels the recording from its beginning. */
    mountChip: async (name: ChipName, address: number) => {
      const motion = moves(board.wires().nowUs());
      const create = await SIMULATED_CHIPS[name]();
      const faults = { ...noFaults(), rateError: RATE_ERROR };
      const chip: TimedChip = create({ address, motion, random: () => 0.5, faults, noise: 0 });
      truths.push({ name, chip, motion });
      board.mount([chip]);
    },
  };
  return { board, truths, calls };
}

export type BoardRunCalls = ReturnType<typeof createMovedBoard>['calls'];

const whyNot = missingGuest() ?? (existsSync(TRACE) ? false : 'not fetched: qqr data fetch watch');
const minutes = (runs: number) => runs * (SECONDS + 300) * 1000 + 60_000;

describe('a whole board in a guest', { skip: whyNot }, () => {
  let guest: GuestRun;
  let facts: readonly BoardFacts[] = [];
  let truths: readonly ChipTruth[] = [];

  before(async () => {
    const { board, truths: mounted, calls } = createMovedBoard(await recordedMoves());
    truths = mounted;
    const command = [process.execPath, '--enable-source-maps', PROGRAM, JSON.stringify(RUNS)];
    guest = await runGuest({ devices: board.devices, calls, command, timeoutMs: minutes(RUNS.length) });
    board.close();
    console.log(guest.output);
    const file = join(guest.share, 'facts.json');
    if (existsSync(file)) facts = JSON.parse(readFileSync(file, 'utf8')) as BoardFacts[];
    if (process.env['QQR_HARDWARE_KEEP']) console.log(`kept: ${guest.share}`);
  });
  after(() => (process.env['QQR_HARDWARE_KEEP'] ? undefined : guest?.close()));

  for (const [i, run] of RUNS.entries()) {
    describe(`${run.chip} at ${run.rateHz} Hz, the learner training`, () => {
      let found: RunFindings;
      const factsOf = (): BoardFacts => {
        const own = facts[i];
        assert.ok(own !== undefined, `the run did not end. The guest said:\n${guest.output}\n${guest.kernelLog}`);
        return own;
      };
      before(() => {
        const own = factsOf();
        const path = join(guest.share, `${run.chip}-${run.rateHz}.sqlite`);
        const store = openAgentStore(path);
        try {
          found = heldAgainst(truths[i] as ChipTruth, store, own);
        } finally {
          store.close();
        }
      });

      test('probe finds the chip', () => {
        const [bus] = JSON.parse(factsOf().probed) as { found: { address: number; chip: string }[] }[];
        assert.deepEqual(
          bus?.found.map(({ address, chip }) => ({ address, chip })),
          [{ address: run.address, chip: run.chip }],
        );
      });

      test('each stored sample is one that the chip measured, in order, and what is lost lies in a marked gap', (t) => {
        t.diagnostic(
          `watched: ${samplesText(found.watched)}; with the start of all programs: ${samplesText(found.all)}; ` +
            `faults: ${found.faults.join(', ') || 'none'}`,
        );
        assert.equal(found.wrong, null);
        assert.ok(found.watched.spanS > SECONDS - 2, `${found.watched.spanS} s`);
        if (run.isSure) assert.equal(found.watched.lost, 0);
      });

      test('windows are those of the recording played directly', () => {
        assert.ok(found.windows.length > 0);
        assert.deepEqual(found.windows, found.replayed);
      });

      test('windows begin when they say', (t) => {
        tellTiming(t, found);
        if (run.isSure) assert.ok(found.startErrorsUs.every((error) => Math.abs(error) < 1000));
      });

      test('the learner trains all the time beside it', (t) => {
        const { agent, learner, rounds, exit, agentLog } = factsOf();
        t.diagnostic(`agent: ${loadText(agent)}; learner: ${learner && loadText(learner)}, ${rounds} rounds`);
        assert.deepEqual(exit, { code: 0, signal: null }, agentLog);
        assert.ok(learner !== null, 'the learner is one process throughout');
        assert.ok(learner.cpuPercent > 30, `the learner idles: ${learner.cpuPercent} %`);
      });
    });
  }
});

function tellTiming(t: TestContext, { startErrorsUs, clockErrorUs, clockRate }: RunFindings): void {
  const sizes = startErrorsUs.map(Math.abs).sort((a, b) => a - b);
  const ms = (us: number | undefined) => ((us ?? Number.NaN) / 1000).toFixed(3);
  const median = ms(sizes[Math.floor(sizes.length / 2)]);
  t.diagnostic(
    `starts of ${sizes.length} windows: off by ${median} ms (median), ${ms(sizes.at(-1))} ms (most); ` +
      `clocks known to ${ms(clockErrorUs)} ms, rate ${clockRate.toFixed(6)}; one by one: ${startErrorsUs.map(ms).join(' ')}`,
  );
}

function samplesText({ stored, lost, gaps, spanS }: Samples): string {
  return `${stored} samples in ${spanS.toFixed(1)} s, ${lost} lost in ${gaps} gaps`;
}

function loadText({ cpuPercent, rssMb, peakMb }: Load): string {
  return `${cpuPercent.toFixed(0)} % of a processor, ${rssMb.toFixed(0)} MB (at most ${peakMb.toFixed(0)})`;
}
