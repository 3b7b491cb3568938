/**
 * Chips' drivers over a real kernel's bus, against the register-level models of their chips. The chips live on a clock that the
 * program in the guest moves, so each byte takes its real way and no result depends on how fast the guest is.
 */
import { test } from 'node:test';
import { SIMULATED_CHIPS } from '../../agent/hw/sim/registry.ts';
import { noFaults } from '../../agent/hw/sim/surroundings.ts';
import type { ChipName } from '../../agent/sensors/registry.ts';
import { restMotion, sawMotion } from '../contract/chip-motion.ts';
import { type Board, createBoard } from './guest/board.ts';
import type { boardCalls } from './guest/board-calls.ts';
import { missingGuest } from './guest/boot.ts';
import { testsInGuest } from './guest/tests-in-guest.ts';
import { LINES } from './inside/wiring.ts';

const random = () => 0.5;
/** Several times what a calm machine needs. */
const TIMEOUT_MS = 550_000;

function createMovedBoard(): { readonly board: Board; readonly calls: ReturnType<typeof chipCalls> } {
  const clock = { nowUs: 1_000_000 };
  const board = createBoard({ lines: LINES, random, nowUs: () => clock.nowUs });
  return { board, calls: chipCalls(board, clock) };
}

function chipCalls(board: Board, clock: { nowUs: number }) {
  return {
    /** Moves the simulation's clock, and says what it shows. */
    pass: (ms: number) => {
      clock.nowUs += ms * 1000;
      return clock.nowUs;
    },
    /** This chip alone is on the bus from now on, just powered. */
    mountChip: async (name: ChipName, address: number, motion: 'saw' | 'rest') => {
      const moved = motion === 'saw' ? sawMotion : restMotion;
      const create = await SIMULATED_CHIPS[name]();
      board.mount([create({ address, motion: moved, random, faults: noFaults(), noise: 0 })]);
    },
  };
}

export type ChipCalls = ReturnType<typeof chipCalls> & ReturnType<typeof boardCalls>;

test('chips', { skip: missingGuest() ?? false }, async (t) => {
  await testsInGuest(t, { program: 'chips', ...createMovedBoard(), cpus: 1, timeoutMs: TIMEOUT_MS });
});
