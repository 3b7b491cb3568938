/**
 * The agent's bus and pins on a real kernel: /dev/i2c-N and sysfs in front of it, `i2c-bus` and `onoff` between, simulated chips and
 * wires behind. What a fake of the two packages can only claim.
 */
import { test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import { createRegisterFileChip } from '../fixtures/register-file-chip.ts';
import { createBoard } from './guest/board.ts';
import { missingGuest } from './guest/boot.ts';
import { testsInGuest } from './guest/tests-in-guest.ts';
import { CHIP_ADDRESS, INTERRUPT_LINE, LINES } from './inside/wiring.ts';

test('kernel interfaces', { skip: missingGuest() ?? false }, async (t) => {
  const board = createBoard({ lines: LINES, random: createRng(1).next });
  board.mount([createRegisterFileChip(CHIP_ADDRESS)], new Map([[CHIP_ADDRESS, INTERRUPT_LINE]]));
  await testsInGuest(t, { program: 'kernel-interfaces', board, cpus: 1 });
});
