/** Metrics, alerts, Grafana's dashboard and docs/monitoring.md name the same things, and Prometheus' own checker takes them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createBoardMetrics } from '../../agent/ops/metrics.ts';
import { createMetrics, MAX_LABELLED_BOARDS } from '../../server/http/metrics.ts';
import { sampleBoardFacts } from '../fixtures/board-facts-sample.ts';
import { manualFleetWindow } from '../fixtures/manual-fleet-window.ts';
import { projectFile } from '../fixtures/sample-file.ts';

const PAGE = projectFile('docs/monitoring.md');
/** Of the page: what the aggregator says, what a board says. */
const [AGGREGATORS = '', BOARDS = ''] = PAGE.split("## A board's own metrics");
const ALERTS = projectFile('server/monitoring/alerts.yml');
const GRAFANA = JSON.parse(projectFile('server/monitoring/grafana.json'));
const PROMTOOL = spawnSync('promtool', ['--version']).status === 0;
const SKIP = PROMTOOL || process.env['QQR_REQUIRE_SERVICES'] === '1' ? false : 'promtool is not installed';
/** What Prometheus has of its own. */
const SERIES = /\b(?:qqr|process)_\w+/g;

function scraped(boards = 3): Promise<string> {
  return createMetrics(manualFleetWindow(boards), { count: () => 0, dropped: () => 0, close: () => undefined }).text();
}

function scrapedBoard(): Promise<string> {
  return createBoardMetrics({
    ...{ read: async () => sampleBoardFacts(), nowMs: () => 0, device: 'pi-1', version: '1' },
  }).text();
}

const SCRAPES = [
  { who: 'the aggregator', page: AGGREGATORS, scrape: scraped, most: { metrics: 45, labelled: 20 } },
  { who: 'a board', page: BOARDS, scrape: scrapedBoard, most: { metrics: 25, labelled: 10 } },
];

for (const { who, page, scrape, most } of SCRAPES) {
  test(`docs/monitoring.md lists every metric of ${who} with its kind, and no other`, async () => {
    const text = await scrape();
    const real = [...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)].map(([, name, kind]) => [name, kind]);
    const rows = [...page.matchAll(/^\| `((?:qqr|process)_\w+)` \| (\w+) \|/gm)];
    const documented = rows.map(([, name, kind]) => [name, kind]);
    assert.ok(real.length > most.metrics, `${real.length} metrics`);
    assert.deepEqual(documented, real);
  });

  test(`labels of ${who} are the documented ones`, async () => {
    const text = await scrape();
    const rows = [...page.matchAll(/^\| `((?:qqr|process)_\w+)` \| \w+ \| ([^|]*) \|/gm)];
    const documented = new Map(rows.map(([, name, labels]) => [name, `${labels}`.trim()]));
    let labelled = 0;
    for (const [, name, labels = ''] of text.matchAll(/^((?:qqr|process)_\w+)(?:\{(.*)\})? \S+$/gm)) {
      const names = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label).join(', ');
      assert.equal(names, documented.get(name as string), name);
      if (names !== '') labelled++;
    }
    assert.ok(labelled > most.labelled, `${labelled} with labels`);
  });
}

test('alerts and the dashboard use metrics that exist, and every alert is told of', async () => {
  const texts = await Promise.all(SCRAPES.map(({ scrape }) => scrape()));
  const known = new Set([...texts.join('\n').matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
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

for (const { who, scrape } of SCRAPES) {
  test(`promtool takes the metrics of ${who}`, { skip: SKIP }, async () => {
    const input = await scrape();
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
    assert.equal(status, 0, stdout + stderr);
  });
}

test('what is not known is left out, not told as 0', async () => {
  const nobody = { ...manualFleetWindow(1), brokerCounts: () => null, certificateEnds: async () => ({}) };
  const text = await createMetrics(
    { ...nobody, view: { ...nobody.view, round: () => null } },
    { count: () => 0, dropped: () => 0, close: () => undefined },
  ).text();
  assert.doesNotMatch(text, /^qqr_(?:broker|certificate|round_open|round_asked)/m);
  assert.match(text, /^qqr_round_last_number 3$/m);
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

const AGEING = `
  - interval: 1m
    input_series:
      - {series: 'qqr_agent_window_present{instance="pi-7:9101",modality="gyr"}', values: '1x10 0x200'}
      - {series: 'qqr_agent_window_quality_ratio{instance="pi-7:9101",modality="acc"}', values: '0.9x200'}
      - {series: 'qqr_agent_window_quality_ratio{instance="pi-8:9101",modality="acc"}', values: '0.9x10 0.03x200'}
      - {series: 'qqr_agent_stream_seconds{instance="pi-7:9101"}', values: '0+60x200'}
      - {series: 'qqr_agent_stream_seconds{instance="pi-8:9101"}', values: '0+60x100 6000x100'}
      - {series: 'qqr_agent_outbox_updates{instance="pi-7:9101"}', values: '0+1x200'}
      - {series: 'qqr_agent_outbox_updates{instance="pi-8:9101"}', values: '20x200'}
      - {series: 'qqr_broker_dropped_messages_total', values: '0x60 0+3x140'}
      - {series: 'qqr_certificate_expiry_timestamp_seconds{instance="hub:8080",certificate="listener"}', values: '1728000x200'}
      - {series: 'qqr_agent_certificate_expiry_timestamp_seconds{instance="pi-7:9101",certificate="client"}', values: '8640000x200'}
    alert_rule_test:
      - {eval_time: 15m, alertname: QqrAgentModalityDead, exp_alerts: []}
      - eval_time: 25m
        alertname: QqrAgentModalityDead
        exp_alerts:
          - exp_labels: {severity: warning, instance: "pi-7:9101", modality: gyr}
            exp_annotations: {summary: "pi-7:9101: gyr is dead"}
          - exp_labels: {severity: warning, instance: "pi-8:9101", modality: acc}
            exp_annotations: {summary: "pi-8:9101: acc is dead"}
      - {eval_time: 90m, alertname: QqrAgentSamplingStopped, exp_alerts: []}
      - eval_time: 120m
        alertname: QqrAgentSamplingStopped
        exp_alerts:
          - exp_labels: {severity: critical, instance: "pi-8:9101"}
            exp_annotations: {summary: "pi-8:9101 has stored no sample for ten minutes"}
      - eval_time: 100m
        alertname: QqrAgentOutboxGrowing
        exp_alerts:
          - exp_labels: {severity: warning, instance: "pi-7:9101"}
            exp_annotations: {summary: "pi-7:9101: 100 updates wait for an answer, and more every hour"}
      - {eval_time: 55m, alertname: QqrBrokerDropping, exp_alerts: []}
      - eval_time: 80m
        alertname: QqrBrokerDropping
        exp_alerts:
          - exp_labels: {severity: warning}
            exp_annotations: {summary: "The embedded broker drops messages of sessions that are full"}
      - eval_time: 100m
        alertname: QqrCertificateExpiring
        exp_alerts:
          - exp_labels: {severity: warning, instance: "hub:8080", certificate: listener}
            exp_annotations: {summary: "hub:8080: certificate listener expires in 20 days"}
`;

test("alerts fire for a board's own metrics, for the broker and for certificates", { skip: SKIP }, (t) => {
  const { status, output } = ruleTest(t, AGEING);
  assert.equal(status, 0, output);
  assert.notEqual(ruleTest(t, AGEING.replace('in 20 days', 'in 21 days')).status, 0, 'the rules are really tried');
});
