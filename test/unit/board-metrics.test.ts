/** A board's metrics: the numbers are those of the facts, facts are not read too often, and the door says what is wrong with an address. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { parseAgentConfig } from '../../agent/config.ts';
import { type BoardFacts, createBoardMetrics } from '../../agent/ops/metrics.ts';
import { createMetricsDoor } from '../../agent/ops/metrics-door.ts';
import { AppError } from '../../core/base/errors.ts';
import { silentLog } from '../../core/base/log.ts';
import { sampleBoardFacts } from '../fixtures/board-facts-sample.ts';

const ABOUT = { device: 'pi-1', version: '1.2.3' };

function metricsOf(facts: BoardFacts = sampleBoardFacts()) {
  return createBoardMetrics({ read: async () => facts, nowMs: () => 0, ...ABOUT });
}

/** Series of the text, name with labels → value. */
function seriesOf(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

test('every fact has its series, and what is not known has none', async () => {
  const series = seriesOf(await metricsOf().text());
  for (const name of [...series.keys()]) if (name.startsWith('process_')) series.delete(name);
  const chip = 'chip="mpu6050@1:0x68"';
  assert.deepEqual(Object.fromEntries(series), {
    [`qqr_agent_build_info{device="pi-1",version="1.2.3",node="${process.version}"}`]: 1,
    'qqr_agent_windows_total': 4711,
    'qqr_agent_stream_seconds': 6030.5,
    'qqr_agent_window_quality_ratio{modality="acc"}': 0.98,
    'qqr_agent_window_present{modality="acc"}': 1,
    'qqr_agent_window_present{modality="gyr"}': 0,
    'qqr_agent_lost_total{cause="cap",kind="samples"}': 12,
    'qqr_agent_lost_total{cause="disk-full",kind="unused-windows"}': 3,
    [`qqr_agent_chip_samples_total{${chip}}`]: 300_000,
    [`qqr_agent_faults_total{${chip},fault="unplugged"}`]: 2,
    [`qqr_agent_faults_total{${chip},fault="stuck"}`]: 1,
    [`qqr_agent_fault_raised{${chip},fault="stuck",modality="gyr"}`]: 1,
    'qqr_agent_outbox_updates': 4,
    'qqr_agent_outbox_bytes': 5120,
    'qqr_agent_quarantined_updates': 5,
    'qqr_agent_settled_updates{outcome="counted",reason=""}': 90,
    'qqr_agent_settled_updates{outcome="rejected",reason="late"}': 7,
    'qqr_agent_backlog_windows': 33,
    'qqr_agent_learner_deaths_total': 6,
    'qqr_agent_learner_over_memory_total': 1,
    'qqr_agent_learner_resident_memory_bytes': 345.5e6,
    'qqr_agent_link_up': 1,
    'qqr_agent_link_connections_total': 8,
    'qqr_agent_link_given_up_total': 2,
    'qqr_agent_link_sent_bytes_total': 1000,
    'qqr_agent_link_received_bytes_total': 2000,
    'qqr_agent_certificate_expiry_timestamp_seconds{certificate="client"}': 1.8e9,
    'qqr_agent_certificate_expiry_timestamp_seconds{certificate="authority"}': 2e9,
    'qqr_agent_database_bytes': 65_536,
  });
});

test('before the first window and plan, without TLS and learner, these series are absent', async () => {
  const facts = sampleBoardFacts();
  const learner = { ...facts.learner, residentMb: null };
  const early = { ...facts, streamS: null, quality: {}, backlog: null, learner, certificates: {} };
  const names = [...seriesOf(await metricsOf(early).text()).keys()].join('\n');
  assert.doesNotMatch(names, /stream_seconds|window_quality|window_present|backlog|learner_resident|certificate/);
  assert.match(names, /qqr_agent_link_up/);
});

test('a fault that is over and an update that is settled leave no series behind', async () => {
  let facts = sampleBoardFacts();
  let nowMs = 0;
  const metrics = createBoardMetrics({ read: async () => facts, nowMs: () => nowMs, ...ABOUT });
  assert.match(await metrics.text(), /fault_raised\{/);
  facts = { ...facts, chips: {}, losses: [] };
  nowMs = 60_000;
  assert.doesNotMatch(await metrics.text(), /fault_raised\{|lost_total\{/);
});

test('however many scrape, the facts are read once in five seconds', async () => {
  let reads = 0;
  let nowMs = 0;
  const read = async () => {
    reads++;
    return sampleBoardFacts();
  };
  const metrics = createBoardMetrics({ read, nowMs: () => nowMs, ...ABOUT });
  await Promise.all([metrics.text(), metrics.text(), metrics.text()]);
  nowMs = 4999;
  await metrics.text();
  assert.equal(reads, 1);
  nowMs = 5000;
  await metrics.text();
  assert.equal(reads, 2);
});

test('the door answers /metrics and nothing else', async (t) => {
  const metrics = metricsOf();
  const door = createMetricsDoor('127.0.0.1:0', metrics, silentLog);
  await door.start(new AbortController().signal);
  t.after(() => door.stop());
  const answer = await fetch(door.url());
  assert.equal(answer.status, 200);
  assert.match(`${answer.headers.get('content-type')}`, /^text\/plain; version=0\.0\.4/);
  assert.match(await answer.text(), /^qqr_agent_windows_total 4711$/m);
  assert.equal((await fetch(new URL('/', door.url()))).status, 404);
  assert.equal((await fetch(new URL('/metrics/../etc', door.url()))).status, 404);
  const posted = await fetch(door.url(), { method: 'POST', body: 'x' });
  assert.deepEqual([posted.status, posted.headers.get('allow')], [405, 'GET, HEAD']);
  const head = await fetch(door.url(), { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
});

test('a page of another name cannot read through the browser', async (t) => {
  const door = createMetricsDoor('127.0.0.1:0', metricsOf(), silentLog);
  await door.start(new AbortController().signal);
  t.after(() => door.stop());
  const statusAs = (host: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const asked = request(door.url(), { headers: { Host: host } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      asked.once('error', reject).end();
    });
  assert.equal(await statusAs('evil.example:9101'), 421);
  assert.equal(await statusAs('localhost:9101'), 200);
});

test('facts that cannot be read are a 503, and the next scrape tries again', async (t) => {
  let isBroken = true;
  const read = async () => {
    if (isBroken) throw new AppError('storage-failed', 'database: disk I/O error');
    return sampleBoardFacts();
  };
  const door = createMetricsDoor('127.0.0.1:0', createBoardMetrics({ read, nowMs: () => 0, ...ABOUT }), silentLog);
  await door.start(new AbortController().signal);
  t.after(() => door.stop());
  const broken = await fetch(door.url());
  assert.equal(broken.status, 503);
  assert.doesNotMatch(await broken.text(), /disk/);
  isBroken = false;
  assert.equal((await fetch(door.url())).status, 200);
});

test('an address that is taken is named, with what to do', async (t) => {
  const first = createMetricsDoor('127.0.0.1:0', metricsOf(), silentLog);
  await first.start(new AbortController().signal);
  t.after(() => first.stop());
  const { host } = new URL(first.url());
  const second = createMetricsDoor(host, metricsOf(), silentLog);
  await assert.rejects(second.start(new AbortController().signal), (error: unknown) => {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, 'link-unavailable');
    assert.match(error.message, /EADDRINUSE/);
    assert.match(`${error.where}`, new RegExp(host));
    assert.match(`${error.hint}`, /another port/);
    return true;
  });
  await second.stop();
});

test('an address for everybody is warned of, loopback is not', async (t) => {
  const warned: string[] = [];
  const log = { ...silentLog, warn: (_: object, message: string) => void warned.push(message) };
  for (const listen of ['127.0.0.1:0', '0.0.0.0:0']) {
    const door = createMetricsDoor(listen, metricsOf(), log);
    await door.start(new AbortController().signal);
    t.after(() => door.stop());
  }
  assert.equal(warned.length, 1);
  assert.match(`${warned[0]}`, /everybody/);
});

test('settings take off, HOST:PORT and [IPv6]:PORT', () => {
  const listening = (listen: string) =>
    parseAgentConfig({ device: 'pi-1', metrics: { listen } }, 'test').metrics.listen;
  for (const good of ['off', '127.0.0.1:9101', '[::1]:9101', 'pi-7.local:1']) assert.equal(listening(good), good);
  for (const bad of ['on', '9101', ':9101', 'pi-7', '127.0.0.1:65536'])
    assert.throws(() => listening(bad), /metrics\.listen/, bad);
  assert.equal(parseAgentConfig({ device: 'pi-1' }, 'test').metrics.listen, 'off');
});
