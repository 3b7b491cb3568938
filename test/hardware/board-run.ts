/**
 * A whole board on a real kernel: `qqr agent run` reads a chip over /dev/i2c-N, an aggregator and a learner that never rests beside
 * it, the chip moved by a person's recording. Afterwards the board's database is held against what the chip really felt, and when:
 * each stored sample, the times of the windows, and the windows themselves against those of the recording played directly.
 * QQR_HARDWARE_SECONDS: how long each run is watched (20); from 60 on also at 1 kHz with a FIFO of 85 ms. That nothing is lost and that times
 * are right is asserted only of a guest that had its processors: emulation on a busy machine stands still for whole seconds.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, type TestContext, test } from 'node:test';
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
import { missingGuest, runGuest } from './guest/boot.ts';
import { LINES } from './inside/wiring.ts';
import { type ChipTruth, heldAgainst, type RunFindings, type Samples } from './run-findings.ts';

const TRACE = join(dataDirectory(), 'watch', '1-1.csv.gz');
const PROGRAM = fileURLToPath(new URL('./inside/board-run.js', import.meta.url));
const SECONDS = Number(process.env['QQR_HARDWARE_SECONDS'] ?? 20);
/** Of the chip's oscillator: real ones are off by percents. */
const RATE_ERROR = 0.01;

/**
 * Of a window's start. A transaction takes some 3 ms here and half a millisecond on a board, and the drivers take the FIFO's level to be
 * known half a millisecond before its end; how the two clocks stand to each other is known to half a millisecond.
 */
const MOST_MS = 2.5;

/** FIFOs, milliseconds: of frames of 12 bytes, and of pairs of tagged words. */
const RUNS: readonly (BoardRun & { readonly fifoMs: number })[] = [
  { chip: 'mpu6050', address: 0x68, rateHz: 100, seconds: SECONDS, fifoMs: 850 },
  { chip: 'lsm6dsox', address: 0x6a, rateHz: 833, seconds: SECONDS, fifoMs: 307 }, // the nearest that it has to a kilohertz
  ...(SECONDS < 60 ? [] : [{ chip: 'mpu6050', address: 0x68, rateHz: 1000, seconds: SECONDS, fifoMs: 85 } as const]),
];

/** The machine's other work kept the guest from running for so long that a FIFO read in good time would have been none. */
const isStarved = ({ fifoMs }: { readonly fifoMs: number }, { stallMs }: BoardFacts) => stallMs > fifoMs / 4;

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
/** Emulated, each of five programs takes up to half a minute to start when the machine has other work. */
const TIMEOUT_MS = (SECONDS + 400) * 1000;

interface RunEnd {
  readonly output: string;
  readonly facts: BoardFacts;
  readonly found: RunFindings;
}

async function runBoard(run: BoardRun): Promise<RunEnd> {
  const { board, truths, calls } = createMovedBoard(await recordedMoves());
  const command = [process.execPath, '--enable-source-maps', PROGRAM, JSON.stringify(run)];
  const { output, kernelLog, share, close } = await runGuest({
    devices: board.devices,
    calls,
    command,
    timeoutMs: TIMEOUT_MS,
  });
  board.close();
  try {
    const file = join(share, 'facts.json');
    assert.ok(existsSync(file), `the run did not end. The guest said:\n${output}\n${kernelLog}`);
    const facts = JSON.parse(readFileSync(file, 'utf8')) as BoardFacts;
    const store = openAgentStore(join(share, 'agent.sqlite'));
    try {
      return { output, facts, found: heldAgainst(truths[0] as ChipTruth, store, facts) };
    } finally {
      store.close();
    }
  } finally {
    await close();
  }
}

describe('a whole board in a guest', { skip: whyNot }, () => {
  for (const run of RUNS) {
    describe(`${run.chip} at ${run.rateHz} Hz, the learner training`, () => {
      let output: string;
      let facts: BoardFacts;
      let found: RunFindings;
      before(async () => {
        ({ output, facts, found } = await runBoard(run));
      });

      test('probe finds the chip', () => {
        const [bus] = JSON.parse(facts.probed) as { found: { address: number; chip: string }[] }[];
        assert.deepEqual(
          bus?.found.map(({ address, chip }) => ({ address, chip })),
          [{ address: run.address, chip: run.chip }],
        );
      });

      test('each stored sample is one that the chip measured, in order, and what is lost lies in a marked gap', (t) => {
        t.diagnostic(`longest wait for a processor: ${facts.stallMs.toFixed(0)} ms\n${output}`);
        t.diagnostic(
          `watched: ${samplesText(found.watched)}; with the start of all programs: ${samplesText(found.all)}; ` +
            `faults: ${found.faults.join(', ') || 'none'}`,
        );
        assert.equal(found.wrong, null);
        assert.ok(found.watched.spanS > SECONDS - 2, `${found.watched.spanS} s`);
        if (!isStarved(run, facts)) assert.equal(found.watched.lost, 0);
      });

      test('windows are those of the recording played directly', () => {
        assert.ok(found.windows.length > 0);
        assert.deepEqual(found.windows, found.replayed);
      });

      test('windows begin when they say', (t) => {
        tellTiming(t, found);
        if (isStarved(run, facts)) return t.skip('the guest was starved');
        assert.ok(found.startErrorsUs.every((error) => Math.abs(error) < 1000 * MOST_MS));
      });

      test('the learner trains all the time beside it', (t) => {
        const { agent, learner, rounds, exit, agentLog } = facts;
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
