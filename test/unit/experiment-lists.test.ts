/** The lists of trials: pure, affordable, and asking for nothing that replays, strategies or readers of results do not know. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EXPERIMENTS, experimentNamed } from '../../scripts/experiment/catalogue.ts';
import type { DataFacts, Experiment, ListContext, Results } from '../../scripts/experiment/experiment.ts';
import { LEARNING_RATES } from '../../scripts/experiment/lists/tuned.ts';
import { mergeTrials, type Trial, type TrialResult, trialKey } from '../../scripts/experiment/trial.ts';
import { REPLAY_DEFAULTS } from '../../scripts/replay/options.ts';
import { createStrategy } from '../../server/strategies/registry.ts';

const people = (count: number) => Array.from({ length: count }, (_, i) => String(i + 1));
const HAPT: DataFacts = {
  name: 'HAPT',
  subjects: people(30),
  modalities: ['acc', 'gyr'],
  hasPublishedSplit: true,
  digest: 'hapt',
};
const DSADS: DataFacts = {
  name: 'DSADS',
  subjects: people(8),
  modalities: ['acc', 'gyr', 'mag'],
  hasPublishedSplit: false,
  digest: 'dsads',
};
const FULL_BUDGET = 800;
const QUICK_BUDGET = 40;

const contextOf = ({ leastModalities }: Experiment, isQuick: boolean, seeds = 5): ListContext => ({
  data: leastModalities > 2 ? DSADS : HAPT,
  seeds,
  isQuick,
});

/** Accuracy that a learning rate gives in the choice: each strategy has a favourite. */
function resultOf({ settings, strategy }: Trial): TrialResult {
  const favourite = LEARNING_RATES[strategy.length % LEARNING_RATES.length];
  const clean = settings.learningRate === favourite ? 0.9 : 0.8;
  const curves = { onlineAccuracy: [], onlineLoss: [], clean: [] };
  return { boards: 1, rounds: 1, seconds: 1, metrics: { clean }, curves };
}

function allTrials(experiment: Experiment, context: ListContext): Trial[][] {
  const results = new Map<string, TrialResult>();
  return experiment.stages.map((stage) => {
    const trials = mergeTrials(stage(context, results as Results));
    for (const trial of trials) results.set(trial.key, resultOf(trial));
    return trials;
  });
}

for (const experiment of EXPERIMENTS) {
  describe(`the experiment ${experiment.name}`, () => {
    const full = allTrials(experiment, contextOf(experiment, false)).flat();
    const quick = allTrials(experiment, contextOf(experiment, true)).flat();

    it('lists the same trials each time, and survives JSON', () => {
      assert.deepEqual(allTrials(experiment, contextOf(experiment, false)).flat(), full);
      assert.deepEqual(JSON.parse(JSON.stringify(full)), full);
    });

    it('is affordable, and its short form short', () => {
      assert.ok(full.length > 0 && full.length <= FULL_BUDGET, `${full.length} trials`);
      assert.ok(quick.length > 0 && quick.length <= QUICK_BUDGET, `${quick.length} trials`);
      assert.ok(quick.every(({ options }) => (options.rounds ?? Number.POSITIVE_INFINITY) <= 12));
    });

    it('has a key for each content, whatever its labels', () => {
      for (const trial of full) assert.equal(trialKey({ ...trial }), trial.key);
      assert.equal(new Set(full.map(({ key }) => key)).size, full.length);
    });

    it('asks for options and settings that exist', () => {
      for (const { options, strategy, settings } of full) {
        for (const name of Object.keys(options)) assert.ok(name in REPLAY_DEFAULTS, name);
        const known = createStrategy(strategy);
        for (const name of Object.keys(settings))
          assert.ok(name in known.settings || name in known.guard || name in known, name);
        createStrategy(strategy, settings);
      }
    });

    it('fills every figure, and has the series that others are compared with', () => {
      const arms = full.flatMap((trial) => trial.arms);
      const ids = experiment.figures.map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length);
      for (const { figure } of arms) assert.ok(ids.includes(figure), figure);
      for (const { id, baseline } of experiment.figures) {
        const own = arms.filter(({ figure }) => figure === id);
        assert.ok(own.length > 0, id);
        if (baseline === null) continue;
        const places = new Set(own.map(({ x }) => x));
        const compared = new Set(own.filter(({ series }) => series === baseline).map(({ x }) => x));
        assert.ok(compared.size > 0, `${id} lacks ${baseline}`);
        if (experiment.name !== 'modalities') assert.deepEqual(compared, places, id);
      }
    });

    it('gives more seeds when it is asked to', () => {
      const few = allTrials(experiment, contextOf(experiment, false, 1)).flat();
      assert.ok(few.length < full.length || experiment.name === 'modalities');
    });
  });
}

describe('equal tuning', () => {
  const experiment = experimentNamed('tuned');
  const [choice = [], confirmation = []] = allTrials(experiment, contextOf(experiment, false));

  it('chooses without the published test subjects, each part of the others held out once', () => {
    for (const { population } of choice) assert.notEqual(population, 'all');
    const one = choice.filter(({ arms, settings }) => {
      const [arm] = arms;
      return arm?.figure === 'choice-C' && arm.series === 'qqr' && settings.learningRate === 0.1;
    });
    assert.deepEqual(
      one.map(({ population }) => population),
      [0, 1, 2].map((index) => ({ index, of: 3 })),
    );
  });

  it('offers every method the same learning rates', () => {
    for (const figure of ['choice-B', 'choice-C', 'choice-D']) {
      const offered = new Map<string, Set<number | undefined>>();
      for (const { arms, settings } of choice.filter((trial) => trial.arms[0]?.figure === figure)) {
        const name = arms[0]?.series ?? '';
        offered.set(name, (offered.get(name) ?? new Set()).add(settings.learningRate));
      }
      assert.ok(offered.size >= 4);
      for (const rates of offered.values()) assert.deepEqual([...rates], LEARNING_RATES);
    }
  });

  it('confirms the best rate of each method on the published split, with seeds that no choice has seen', () => {
    const tuning = new Set(choice.map(({ seed }) => seed));
    for (const { strategy, settings, population, options, seed } of confirmation) {
      assert.equal(settings.learningRate, LEARNING_RATES[strategy.length % LEARNING_RATES.length]);
      assert.equal(population, 'all');
      assert.deepEqual(options.split, { kind: 'published' });
      assert.ok(!tuning.has(seed));
    }
    assert.equal(new Set(confirmation.map(({ seed }) => seed)).size, 10);
  });
});

describe('trials', () => {
  const [first] = allTrials(experimentNamed('both'), contextOf(experimentNamed('both'), true)).flat();
  const trial = first as Trial;

  it('have another key when anything that is run is another, and the same for another order of properties', () => {
    const changed: Trial[] = [
      { ...trial, seed: 99 },
      { ...trial, strategy: 'plr' },
      { ...trial, measure: 'regret-deep' },
      { ...trial, population: { index: 0, of: 3 } },
      { ...trial, settings: { learningRate: 0.3 } },
      { ...trial, options: { ...trial.options, missingRate: 0.123 } },
    ];
    const keys = [trial.key, ...changed.map(trialKey)];
    assert.equal(new Set(keys).size, keys.length);
    const turned = Object.fromEntries(Object.entries(trial.options).reverse());
    assert.equal(trialKey({ ...trial, options: turned, arms: [] } as Trial), trial.key);
  });

  it('of equal content become one with all arms', () => {
    const other = { ...trial, arms: [{ figure: 'g', series: 's', x: 1 }] };
    const [merged, ...more] = mergeTrials([trial, other, trial]);
    assert.deepEqual(more, []);
    assert.deepEqual(merged?.arms, [...trial.arms, ...other.arms]);
  });
});

it('an experiment that does not exist is refused with the names of those that do', () => {
  assert.throws(() => experimentNamed('quantum'), { code: 'usage', hint: /headline, tuned, quantity/ });
});
