/** Access rules: no board reaches what is another's or the aggregator's, by whatever topic or filter. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { matchesFilter } from '../../core/link/topic-filter.ts';
import { AGGREGATOR, DASHBOARD, mayPublish, maySubscribe, OPERATOR, PEOPLE } from '../../core/wire/access.ts';
import { topics } from '../../core/wire/topics.ts';

const RUNS = { numRuns: 2000 };
const name = fc.stringMatching(/^[A-Za-z0-9._-]{1,8}$/);
const board = name.filter((text) => ![AGGREGATOR, ...PEOPLE].includes(text));
const fleet = fc.constantFrom('default', 'a.b', 'up', 'x');

const KINDS = ['up', 'status', 'state', 'receipt', 'label', 'round', 'global'] as const;
const LEAVES = ['current', 'closed', 'model', 'prototypes', '+', '#', ''] as const;

/** Topics and filters near those of the fleet: its own levels, names, wildcards, and anything. */
function near(fleetName: string, names: readonly string[]): fc.Arbitrary<string> {
  const any = fc.oneof(fc.constantFrom('qqr', 'v1', ...KINDS, ...LEAVES, ...names), fc.string({ maxLength: 4 }));
  const kind = fc.oneof({ weight: 4, arbitrary: fc.constantFrom<string>(...KINDS) }, { weight: 1, arbitrary: any });
  const leaf = fc.oneof(fc.constantFrom<string>(...names), fc.constantFrom<string>(...LEAVES), any);
  const base = fc.oneof(
    { weight: 6, arbitrary: fc.constant(`qqr/v1/${fleetName}`) },
    { weight: 1, arbitrary: fc.constantFrom('qqr/v1/+', 'qqr/+/other', '+/v1', '#', '') },
  );
  const tail = fc.oneof(
    { weight: 5, arbitrary: fc.tuple(kind, leaf) },
    { weight: 1, arbitrary: fc.array(any, { maxLength: 4 }) },
  );
  return fc.tuple(base, tail).map(([start, rest]) => [start, ...rest].join('/'));
}

const attempt = fc
  .record({ fleet, me: board, other: board })
  .filter(({ me, other }) => me !== other)
  .chain((names) => fc.record({ names: fc.constant(names), text: near(names.fleet, [names.me, names.other]) }));

test('a board publishes as itself or not at all', () => {
  let granted = 0;
  fc.assert(
    fc.property(attempt, ({ names: { fleet, me }, text }) => {
      if (!mayPublish(topics(fleet), me, text)) return;
      granted++;
      assert.ok([topics(fleet).up(me), topics(fleet).status(me), topics(fleet).state(me)].includes(text), text);
    }),
    RUNS,
  );
  assert.ok(granted > 10, `${granted} were allowed: the topics are too far off`);
});

test("whatever a board may subscribe to brings nothing of another board's, and no uplink", () => {
  let granted = 0;
  fc.assert(
    fc.property(attempt, ({ names: { fleet, me, other }, text }) => {
      const t = topics(fleet);
      if (!maySubscribe(t, me, text)) return;
      granted++;
      const forbidden = [
        t.up(me),
        t.up(other),
        t.status(other),
        t.state(other),
        t.receipt(other),
        t.label(other),
        '$SYS/x',
        'other/topic',
      ];
      assert.deepEqual(
        forbidden.filter((topic) => matchesFilter(text, topic)),
        [],
      );
    }),
    RUNS,
  );
  assert.ok(granted > 10, `${granted} were allowed: the filters are too far off`);
});

test('a grant covers its filter: every topic that it can bring may be received', () => {
  fc.assert(
    fc.property(
      attempt.chain((first) => fc.tuple(fc.constant(first), near(first.names.fleet, [first.names.me]))),
      (pair) => {
        const [
          {
            names: { fleet, me },
            text,
          },
          topic,
        ] = pair;
        for (const user of [me, AGGREGATOR, ...PEOPLE]) {
          const canCome = !/[+#]/.test(topic) && matchesFilter(text, topic);
          if (canCome && maySubscribe(topics(fleet), user, text)) assert.ok(maySubscribe(topics(fleet), user, topic));
        }
      },
    ),
    RUNS,
  );
});

test('what fleets live on is allowed', () => {
  fc.assert(
    fc.property(fleet, board, (fleetName, me) => {
      const t = topics(fleetName);
      for (const topic of [t.up(me), t.status(me), t.state(me)]) assert.ok(mayPublish(t, me, topic));
      const heard = [t.receipt(me), t.label(me), t.roundCurrent, t.roundClosed, t.globalModel, t.globalPrototypes];
      for (const topic of heard) assert.ok(maySubscribe(t, me, topic));
      const said = [t.receipt(me), t.roundCurrent, t.roundClosed, t.globalModel, t.globalPrototypes];
      for (const topic of said) assert.ok(mayPublish(t, AGGREGATOR, topic) && !mayPublish(t, OPERATOR, topic));
      for (const filter of [t.upFilter, t.statusFilter]) assert.ok(maySubscribe(t, AGGREGATOR, filter));
      assert.ok(mayPublish(t, OPERATOR, t.label(me)) && maySubscribe(t, OPERATOR, t.statusFilter));
      assert.ok(!maySubscribe(t, OPERATOR, t.upFilter));
      assert.ok(maySubscribe(t, DASHBOARD, t.stateFilter) && !maySubscribe(t, DASHBOARD, t.globalModel));
    }),
  );
});

test('a name that nobody can have has no rights', () => {
  for (const user of ['', '+', '#', 'a/b', 'a\0', 'x'.repeat(65)]) {
    assert.equal(mayPublish(topics('f'), user, `qqr/v1/f/up/${user}`), false);
    assert.equal(maySubscribe(topics('f'), user, `qqr/v1/f/receipt/${user}`), false);
  }
});
