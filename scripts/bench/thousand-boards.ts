/**
 * A fleet of a thousand boards on one machine: do rounds close on time, does memory stay flat, how often is an update sent? Two runs,
 * one in which nobody is killed and one in which a share of the boards is in each round. The aggregator, its broker, links, sessions and
 * databases are the real ones; learning is left out (`board-crowd.ts`).
 *
 *   node dist/scripts/bench/thousand-boards.js [--boards 1000] [--rounds 20] [--killed 0.1] [--broker embedded|mosquitto]
 *        [--deadline 10] [--quorum 1] [--train 2] [--durability full] [--seed 1] [--folder DIR] [--profile DIR]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type FleetRun, runFleet } from './fleet-run.ts';
import { rssSlopePerMinute } from './process-meter.ts';

/** Rounds after which memory should have come to rest. */
const WARM_UP_ROUNDS = 5;

const { values } = parseArgs({
  options: {
    boards: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '20' },
    killed: { type: 'string', default: '0.1' },
    broker: { type: 'string', default: 'embedded' },
    deadline: { type: 'string', default: '10' },
    quorum: { type: 'string', default: '1' },
    train: { type: 'string', default: '2' },
    durability: { type: 'string', default: 'full' },
    seed: { type: 'string', default: '1' },
    folder: { type: 'string', default: tmpdir() },
    profile: { type: 'string' },
  },
});
const [boards, rounds, killed, deadlineS] = [values.boards, values.rounds, values.killed, values.deadline].map(
  Number,
) as [number, number, number, number];
const folder = mkdtempSync(join(values.folder, 'qqr-thousand-'));
const shared = {
  ...{ boards, rounds, seed: Number(values.seed), quorum: Number(values.quorum), deadlineMs: 1000 * deadlineS },
  ...{ trainMs: 1000 * Number(values.train), awayMs: 1500 * deadlineS, online: Math.ceil(0.8 * boards) },
  broker: values.broker === 'mosquitto' ? ('mosquitto' as const) : ('embedded' as const),
  durability: values.durability === 'normal' ? ('normal' as const) : ('full' as const),
  ...(values.profile !== undefined && { profile: values.profile }),
};
try {
  for (const share of new Set([0, killed])) {
    const name = share === 0 ? 'nobody killed' : `${100 * share} % killed in each round`;
    console.log(`\n${boards} boards, ${rounds} rounds, ${values.broker} broker, seed ${values.seed}: ${name}`);
    const run = await runFleet({ ...shared, killed: share, folder: join(folder, `killed-${share}`) });
    showRounds(run);
    showTotals(run);
    if (run.books.faults.length > 0) process.exitCode = 1;
    rmSync(join(folder, `killed-${share}`), { recursive: true, force: true });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function showRounds({ rounds: closed, meter }: FleetRun): void {
  const processes = ['server', 'broker', 'boards'].filter((name) => meter.usages(name).length > 0);
  const head = ['round', 'counted', 'late', 'closed s', 'of s', 'told at s', ...processes.map((name) => `${name} MB`)];
  console.log(head.map((cell) => cell.padStart(10)).join(''));
  for (const { record, refused, toldAtMs } of closed) {
    const memory = processes.map(
      (name) =>
        meter
          .usages(name)
          .findLast(({ atMs }) => atMs <= toldAtMs)
          ?.rssMb.toFixed(0) ?? '-',
    );
    const times = [record.durationMs / 1000, deadlineS, toldAtMs / 1000].map((seconds) => seconds.toFixed(2));
    const cells = [record.round, record.devices.length, sum(Object.values(refused)), ...times, ...memory];
    console.log(cells.map((cell) => String(cell).padStart(10)).join(''));
  }
}

function showTotals({ rounds: closed, tally, meter, books, log }: FleetRun): void {
  const overrun = Math.max(...closed.map(({ record }) => record.durationMs)) - 1000 * deadlineS;
  console.log(`latest closing: ${overrun.toFixed(0)} ms after the deadline`);
  const warmMs = closed[Math.min(WARM_UP_ROUNDS, closed.length - 1)]?.toldAtMs ?? 0;
  for (const name of ['server', 'broker', 'boards']) {
    const usages = meter.usages(name);
    if (usages.length === 0) continue;
    const slope = rssSlopePerMinute(usages.filter(({ atMs }) => atMs >= warmMs)).toFixed(1);
    const peak = Math.max(...usages.map(({ rssMb }) => rssMb).filter(Number.isFinite)).toFixed(0);
    const cpuS = ((usages.at(-1)?.cpuS ?? 0) - (usages[0]?.cpuS ?? 0)).toFixed(1);
    console.log(
      `${name}: at most ${peak} MB, ${slope} MB a minute after round ${WARM_UP_ROUNDS}, ${cpuS} s of processor`,
    );
  }
  const sends = [...tally.sends].sort(([a], [b]) => a - b);
  const [updates, sent] = [sum(sends.map(([, count]) => count)), sum(sends.map(([times, count]) => times * count))];
  console.log(`sends an update: ${(sent / updates).toFixed(4)} (${sends.map((pair) => pair.join(' ×: ')).join(', ')})`);
  console.log(`messages to and from boards: at most ${Math.max(...tally.messages.values())} a second`);
  const perRound = (bytes: number) => (bytes / boards / closed.length).toFixed(0);
  const { sentBytes, receivedBytes } = tally.traffic;
  console.log(`bytes a board and round: ${perRound(sentBytes)} up, ${perRound(receivedBytes)} down`);
  console.log(`killed: ${JSON.stringify(tally.kills)}; sessions that failed: ${tally.failures.length}`);
  for (const failure of tally.failures.slice(0, 5)) console.log(`  ${failure}`);
  const { faults, ...counts } = books;
  console.log(`books: ${JSON.stringify(counts)}, ${faults.length === 0 ? 'all as it should be' : faults.join('\n  ')}`);
  const loud = [...log].filter(([line]) => /^(warn|error|40|50)/.test(line));
  if (loud.length > 0) console.log(`the aggregator's log: ${loud.map((pair) => pair.join(' ×')).join(', ')}`);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
