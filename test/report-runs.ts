/** Results that look like real ones, made from a seed: for tests of what reports them. */
import { createHash } from 'node:crypto';
import { type RunResult, type SeedRun, summarize } from '../scripts/replay/run-result.ts';
import type { RoundRecord } from '../server/record.ts';

export interface RunRecipe {
  readonly title: string;
  readonly strategy: string;
  /** Accuracy that the run approaches with all sensors healthy. */
  readonly plateau: number;
  readonly seeds?: number;
  readonly boards?: number;
  readonly rounds?: number;
  readonly modelBytes?: number;
  readonly prototypeBytes?: number;
  /** Rounds between evaluations. */
  readonly evaluateEvery?: number;
}

const MODALITIES = ['acc', 'gyr'];
/** Accuracy lost without, and with a degraded, modality. */
const LOSS = { missing: { acc: 0.24, gyr: 0.08 }, degraded: { acc: 0.13, gyr: 0.05 } };

export function makeRun(recipe: RunRecipe): RunResult {
  const { title, strategy, seeds = 3, boards = 21, rounds = 33, modelBytes = 10_850, prototypeBytes = 220 } = recipe;
  const perSeed = Array.from({ length: seeds }, (_, i) => makeSeed(recipe, i + 1));
  const finals = perSeed.flatMap(({ records }) => records.at(-1)?.evaluation ?? []);
  const online = perSeed.map(({ records }) => mean(records.flatMap((record) => record.online?.accuracy ?? [])));
  const byModality = (kind: 'missing' | 'degraded') =>
    Object.fromEntries(MODALITIES.map((name) => [name, summarize(finals.map((final) => final[kind][name] ?? 0))]));
  return {
    title,
    strategy,
    backend: 'tensorflow',
    seeds: perSeed.map(({ seed }) => seed),
    dataSet: 'HAPT, six basic activities',
    imbalance: { missingRate: 0.5, degradedRate: 0.5, kinds: ['noise', 'drift', 'stuck', 'clipping'] },
    boards,
    rounds,
    modalities: MODALITIES,
    accuracy: {
      clean: summarize(finals.map((final) => final.clean)),
      missing: byModality('missing'),
      degraded: byModality('degraded'),
    },
    online: summarize(online),
    meanQuality: { acc: summarize(online.map(() => 0.83)), gyr: summarize(online.map(() => 0.79)) },
    bytes: {
      perBoardRound: {
        prototypes: prototypeBytes,
        model: modelBytes,
        total: prototypeBytes + modelBytes + 612,
        fp32: 85_528,
      },
    },
    perSeed,
    durationS: 41.7,
    commit: '1f0c9ab',
  };
}

function makeSeed(recipe: RunRecipe, seed: number): SeedRun {
  const { strategy, plateau, boards = 21, rounds = 33, modelBytes = 10_850, prototypeBytes = 220 } = recipe;
  const noise = (...key: (string | number)[]) => uniform(strategy, seed, ...key) - 0.5;
  const shift = noise('seed') * 0.03;
  const records = Array.from({ length: rounds + 1 }, (_, round): RoundRecord => {
    const level = Math.min(0.99, plateau + shift - (plateau - 0.2) * Math.exp(-round / 6) + noise(round) * 0.02);
    const isEvaluated = round > 0 && (round % (recipe.evaluateEvery ?? 1) === 0 || round === rounds);
    const devices = Array.from({ length: boards }, (_, board) => `board-${String(board + 1).padStart(2, '0')}`).filter(
      (device, board) => !(board === 4 && round > 11 && round < 19) && uniform(seed, device, round) > 0.03,
    );
    const lossOf = (kind: 'missing' | 'degraded', name: 'acc' | 'gyr') =>
      Math.max(0.1, level - LOSS[kind][name] * (round / rounds) + noise(kind, name, round) * 0.03);
    return {
      round,
      kind: round === 0 ? 'statistics' : 'training',
      version: round + 1,
      devices,
      rejected: round === 12 ? { late: 2, duplicate: 1 } : {},
      durationMs: 800 + 200 * uniform(seed, round),
      bytes: {
        prototypes: prototypeBytes * devices.length,
        model: modelBytes * devices.length,
        payload: (prototypeBytes + modelBytes + 40) * devices.length,
        fp32: 85_528 * devices.length,
      },
      modalities: {
        acc: { meanQuality: 0.83 + noise('qa', round) * 0.12, missingShare: 0.25 + noise('ma', round) * 0.2 },
        gyr: { meanQuality: 0.79 + noise('qg', round) * 0.12, missingShare: 0.25 + noise('mg', round) * 0.2 },
      },
      online:
        round === 0 ? null : { accuracy: level - 0.05 + noise('o', round) * 0.06, loss: 1.2 * Math.exp(-round / 8) },
      evaluation: isEvaluated
        ? {
            clean: level,
            missing: { acc: lossOf('missing', 'acc'), gyr: lossOf('missing', 'gyr') },
            degraded: { acc: lossOf('degraded', 'acc'), gyr: lossOf('degraded', 'gyr') },
          }
        : null,
    };
  });
  return { seed, records };
}

/** Uniform in [0, 1), a function of its arguments alone. */
function uniform(...key: readonly (string | number)[]): number {
  return createHash('sha256').update(JSON.stringify(key)).digest().readUInt32LE() / 2 ** 32;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Four ways of learning under the same imbalance, three seeds each. */
export const FOUR_RUNS: readonly RunResult[] = [
  makeRun({ title: 'FedAvg, float32', strategy: 'fedavg', plateau: 0.85, modelBytes: 83_992, prototypeBytes: 0 }),
  makeRun({ title: 'PMM', strategy: 'pmm', plateau: 0.852, modelBytes: 83_992, prototypeBytes: 1_560 }),
  makeRun({ title: 'QQR', strategy: 'qqr', plateau: 0.888 }),
  makeRun({ title: 'QQR, 2 bits', strategy: 'qqr-2bit', plateau: 0.882, modelBytes: 5_410, prototypeBytes: 122 }),
];
