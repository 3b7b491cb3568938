/** Metrics, alerts, Grafana's dashboard and docs/monitoring.md name the same things, and Prometheus' own checker takes them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createMetrics, MAX_LABELLED_BOARDS } from '../../server/http/metrics.ts';
import { manualFleetWindow } from '../fixtures/manual-fleet-window.ts';
import { projectFile } from '../fixtures/sample-file.ts';

const PAGE = projectFile('docs/monitoring.md');
const ALERTS = projectFile('server/monitoring/alerts.yml');
const GRAFANA = JSON.parse(projectFile('server/monitoring/grafana.json'));
const PROMTOOL = spawnSync('promtool', ['--version']).status === 0;
const SKIP = PROMTOOL || process.env['QQR_REQUIRE_SERVICES'] === '1' ? false : 'promtool is not installed';
/** What Prometheus has of its own. */
const SERIES = /\b(?:qqr|process)_\w+/g;

function scraped(boards = 3): Promise<string> {
  return createMetrics(manualFleetWindow(boards), { count: () => 0, dropped: () => 0, close: () => undefined }).text();
}

test('docs/monitoring.md lists every metric with its kind, and no other', async () => {
  const text = await scraped();
  const real = [...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)].map(([, name, kind]) => [name, kind]);
  const documented = [...PAGE.matchAll(/^\| `((?:qqr|process)_\w+)` \| (\w+) \|/gm)].map(([, name, kind]) => [
    name,
    kind,
  ]);
  assert.ok(real.length > 30);
  assert.deepEqual(documented, real);
});

test('labels are the documented ones', async () => {
  const text = await scraped();
  const documented = new Map(
    [...PAGE.matchAll(/^\| `((?:qqr|process)_\w+)` \| \w+ \| ([^|]*) \|/gm)].map(([, name, labels]) => [
      name,
      `${labels}`.trim(),
    ]),
  );
  let labelled = 0;
  for (const [, name, labels = ''] of text.matchAll(/^((?:qqr|process)_\w+)(?:\{(.*)\})? \S+$/gm)) {
    const names = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label).join(', ');
    assert.equal(names, documented.get(name as string), name);
    if (names !== '') labelled++;
  }
  assert.ok(labelled > 15);
});

test('alerts and the dashboard use metrics that exist, and every alert is told of', async () => {
  const known = new Set([...(await scraped()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  const expressions = [
    ...[...ALERTS.matchAll(/expr: (.*)$/gm)].map(([, expression]) => `${expression}`),
    ...GRAFANA.panels.flatMap((panel: { targets: { expr: string }[] }) => panel.targets.map(({ expr }) => expr)),
  ];
  assert.ok(expressions.length > 20);
  for (const expression of expressions) {
    const names = expression.match(SERIES) ?? [];
    assert.ok(names.length > 0, expression);
    for (const name of names) assert.ok(known.has(name), `${name} in ${expression}`);
  }
  const alerts = [...ALERTS.matchAll(/alert: (\w+)/g)].map(([, name]) => name);
  assert.deepEqual(
    [...PAGE.matchAll(/^\| `(Qqr\w+)` \|/gm)].map(([, name]) => name),
    alerts,
  );
});

test('more boards than have series of their own are counted, not labelled', async () => {
  const text = await scraped(MAX_LABELLED_BOARDS + 5);
  assert.match(text, /^qqr_boards_unlabelled 5$/m);
  assert.equal([...text.matchAll(/^qqr_board_online\{/gm)].length, MAX_LABELLED_BOARDS);
});

test('promtool takes the metrics', { skip: SKIP }, async () => {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: await scraped(),
    encoding: 'utf8',
  });
  assert.equal(status, 0, stdout + stderr);
});

function ruleTest(t: TestContext, body: string): { status: number | null; output: string } {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-rules-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const rules = fileURLToPath(new URL('../../../server/monitoring/alerts.yml', import.meta.url));
  writeFileSync(join(folder, 'test.yml'), `rule_files: ["${rules}"]\nevaluation_interval: 1m\ntests:\n${body}`);
  const checked = spawnSync('promtool', ['check', 'rules', rules], { encoding: 'utf8' });
  assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', join(folder, 'test.yml')], {
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

const DYING = `
  - interval: 1m
    input_series:
      - {series: 'qqr_board_quality_ratio{device="pi-7",modality="gyr"}', values: '0.9x10 0.03x40'}
      - {series: 'qqr_board_quality_ratio{device="pi-8",modality="gyr"}', values: '0.03x60'}
      - {series: 'qqr_board_online{device="pi-7"}', values: '1x60'}
      - {series: 'qqr_board_online{device="pi-8"}', values: '0x60'}
      - {series: 'qqr_round_last_number', values: '5x120'}
      - {series: 'qqr_rounds_paused', values: '0x120'}
      - {series: 'qqr_boards{state="online"}', values: '3x120'}
    alert_rule_test:
      - {eval_time: 20m, alertname: QqrModalityBad, exp_alerts: []}
      - eval_time: 30m
        alertname: QqrModalityBad
        exp_alerts:
          - exp_labels: {severity: warning, device: pi-7, modality: gyr}
            exp_annotations:
              summary: "pi-7: gyr has quality 30m"
              description: "The board's page on the dashboard names the reason."
      - {eval_time: 10m, alertname: QqrLinkDown, exp_alerts: []}
      - eval_time: 90m
        alertname: QqrRoundsStalled
        exp_alerts:
          - exp_labels: {severity: critical}
            exp_annotations: {summary: "No round has closed for an hour although boards are online"}
`;

test('an alert fires for the sensor that dies on a board that is there, and when rounds stall', { skip: SKIP }, (t) => {
  const { status, output } = ruleTest(t, DYING);
  assert.equal(status, 0, output);
  assert.notEqual(
    ruleTest(t, DYING.replace('pi-7, modality', 'pi-8, modality')).status,
    0,
    'the rules are really tried',
  );
});
