/**
 * Regret where theory speaks: online gradient descent for softmax regression on fixed features, over the stream that the boards
 * live (same order, missing modalities and faults). In a round all boards' windows are predicted with the present weights, then
 * one gradient step of η/√t is made on their mean loss. The comparator at each horizon T is the best weights in hindsight for
 * the first T rounds, of the same filled features, kept finite by a ridge of 1e-4. With convex losses and a bounded domain regret grows like √T at most.
 *
 * A missing modality's features are zeros (their mean), or, where the strategy fills by prototypes, PNR on features: the means
 * by class of the rounds before, weighed by how near the modalities that are there come to theirs (docs/algorithm.md).
 */
import { horizons } from '../../core/math/growth-exponent.ts';
import type { Fill } from '../../core/model/settings.ts';
import type { FleetPlan } from '../replay/plan.ts';
import { createFeatureMeans } from './feature-means.ts';
import { rounded } from './measured.ts';
import { regretMetrics } from './regret.ts';
import { type Example, fitSoftmax, softmaxLoss } from './softmax-regression.ts';
import type { TrialResult } from './trial.ts';
import { createScale, FEATURES_PER_CHANNEL, featuresOf } from './window-features.ts';

interface ConvexSettings {
  readonly windowsPerRound: number;
  /** η. */
  readonly learningRate: number;
  readonly fill: Fill;
}

/** The comparator's loss is then within 1e-4 nats of its least. */
const FIT = { ridge: 1e-4, steps: 120, tolerance: 3e-4 };

export function convexRegret(
  plan: FleetPlan,
  { windowsPerRound, learningRate, fill }: ConvexSettings,
): Pick<TrialResult, 'metrics' | 'curves'> {
  const rounds = roundsOf(plan, windowsPerRound, fill === 'pnr');
  const classes = plan.classes.length;
  const dimensions = plan.modalities.reduce((sum, { channels }) => sum + FEATURES_PER_CHANNEL * channels.length, 0);
  const weights = new Float64Array(classes * (dimensions + 1));
  const losses: number[] = [];
  for (const [t, examples] of rounds.entries()) {
    const gradient = new Float64Array(weights.length);
    losses.push(softmaxLoss(weights, examples, classes, gradient));
    const step = learningRate / Math.sqrt(t + 1);
    for (let i = 0; i < weights.length; i++) weights[i] = (weights[i] as number) - step * (gradient[i] as number);
  }
  let start: Float64Array = new Float64Array(weights.length);
  const points = horizons(rounds.length).map((t) => {
    const stream = rounds.slice(0, t).flat();
    start = fitSoftmax(stream, { ...FIT, classes, start });
    const online = rounds.slice(0, t).reduce((sum, examples, i) => sum + (losses[i] as number) * examples.length, 0);
    return { t, regret: online - softmaxLoss(start, stream, classes, null) * stream.length };
  });
  const windows = rounds.reduce((sum, examples) => sum + examples.length, 0);
  const mean = rounds.reduce((sum, examples, t) => sum + (losses[t] as number) * examples.length, 0) / windows;
  const metrics = { 'online/loss': mean, ...regretMetrics(points, windows) };
  return {
    metrics: Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, rounded(value)])),
    curves: { onlineAccuracy: losses.map(() => null), onlineLoss: losses.map(rounded), clean: losses.map(() => null) },
  };
}

/** Examples per round: features scaled by the boards' first round, holes filled with what was known before the round. */
function roundsOf(plan: FleetPlan, windowsPerRound: number, hasPrototypes: boolean): Example[][] {
  const channels = plan.modalities.map((modality) => modality.channels.length);
  const streams = plan.boards.map(({ windows }) =>
    windows
      .filter(({ label }) => label !== null && plan.classes.includes(label))
      .map((window) => ({ raw: featuresOf(window, channels), label: plan.classes.indexOf(window.label ?? '') })),
  );
  const scale = createScale(streams.flatMap((stream) => stream.slice(0, windowsPerRound).map(({ raw }) => raw)));
  const means = createFeatureMeans(
    plan.classes.length,
    channels.map((count) => count * FEATURES_PER_CHANNEL),
  );
  return Array.from({ length: plan.rounds }, (_, t) => {
    const round = streams
      .map((stream) => stream.slice(t * windowsPerRound, (t + 1) * windowsPerRound))
      .filter((windows) => windows.length === windowsPerRound)
      .flat()
      .map(({ raw, label }) => ({ parts: scale(raw), label }));
    const examples = round.map(({ parts, label }) => ({ features: means.filled(parts, hasPrototypes), label }));
    for (const { parts, label } of round) means.learn(parts, label);
    return examples;
  }).filter((examples) => examples.length > 0);
}
