/**
 * The installed service under a real systemd: the installer, the unit's hardening, readiness, restarts and watchdog, and an agent that
 * samples a chip through the kernel as an account without rights. The checks themselves are in `inside/service.ts`.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { syntheticMotion } from '../../agent/hw/sim/motion.ts';
import { SIMULATED_CHIPS } from '../../agent/hw/sim/registry.ts';
import { noFaults } from '../../agent/hw/sim/surroundings.ts';
import { createRng } from '../../core/math/rng.ts';
import { createBoard } from './guest/board.ts';
import { missingGuest, PROJECT } from './guest/boot.ts';
import { testsInGuest } from './guest/tests-in-guest.ts';
import { INTERRUPT_LINE, LINES, SERVICE_CHIP } from './inside/wiring.ts';

interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/**
 * What an agent needs that does not learn, as folders below the project: TensorFlow's 700 MB do not fit into the guest's memory, and
 * only the learner, which the first round of a fleet starts, loads them.
 */
function samplingPackages(): string[] {
  const lock = JSON.parse(readFileSync(join(PROJECT, 'package-lock.json'), 'utf8'));
  const packages = lock.packages as Readonly<Record<string, LockedPackage>>;
  const found = new Set<string>();
  const nearest = (from: string, name: string): string | undefined => {
    const path = join(from, 'node_modules', name);
    if (path in packages) return path;
    return from === '' ? undefined : nearest(from.slice(0, Math.max(0, from.lastIndexOf('node_modules/') - 1)), name);
  };
  const add = (from: string) => {
    const { dependencies, optionalDependencies } = packages[from] ?? {};
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const path = name.startsWith('@tensorflow/') ? undefined : nearest(from, name);
      if (path === undefined || found.has(path)) continue;
      found.add(path);
      add(path);
    }
  };
  add('');
  return [...found];
}

/** As `scripts/cross-build-arm64.sh` packs them for a board. */
function pack(folder: string): string {
  const file = join(folder, 'node_modules.tar.gz');
  const leftOut = ['obj.target', '*.map', '*.ts', '*.cts', '*.md', 'better-sqlite3/deps', 'prebuilds'].map(
    (name) => `--exclude=${name}`,
  );
  execFileSync('tar', ['-I', 'gzip -1', ...leftOut, '-cf', file, '-C', PROJECT, ...samplingPackages()]);
  return file;
}

test('service', { skip: missingGuest() ?? false }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-service-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const random = createRng(1).next;
  const board = createBoard({ lines: LINES, random });
  const create = await SIMULATED_CHIPS[SERVICE_CHIP.chip]();
  const { address } = SERVICE_CHIP;
  const chip = create({ address, motion: syntheticMotion(), random, faults: noFaults() });
  board.mount([chip], new Map([[address, INTERRUPT_LINE]]));
  await testsInGuest(t, { program: 'service', args: [pack(folder)], board, systemd: true, timeoutMs: 550_000 });
});
