/** A board's own metrics while it runs for real: simulated chips, aggregator, broker, learner process; then a chip is unplugged. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseAgentConfig } from '../../agent/config.ts';
import { simulatedHardware } from '../../agent/hardware.ts';
import { startAgent } from '../../agent/main.ts';
import { configuredChips } from '../../agent/sensors/board-chips.ts';
import { systemClock } from '../../core/base/clock.ts';
import { type Log, silentLog } from '../../core/base/log.ts';
import { startHttpFleet } from '../fixtures/http-fleet.ts';

const LIMIT = { timeout: 120_000 };
const LOOK_EVERY_MS = 500;
const CHIP = 'mpu6050@1:0x68';

async function startBoard(t: TestContext, url: string) {
  const stateDir = await mkdtemp(join(tmpdir(), 'qqr-agent-metrics-'));
  t.after(() => rm(stateDir, { recursive: true, force: true }));
  const sensors = [{ chip: 'mpu6050' as const }];
  const settings = { device: 'pi-1', stateDir, sensors, link: { url }, metrics: { listen: '127.0.0.1:0' } };
  const config = parseAgentConfig(settings, 'test');
  const running = new AbortController();
  t.after(() => running.abort());
  const hardware = await simulatedHardware(configuredChips(config.sensors), null, running.signal);
  let served = '';
  const info: Log['info'] = (fields, message) => {
    if (message === 'metrics are served') served = `${(fields as { url: string }).url}`;
  };
  const agent = await startAgent({
    ...{ config, source: { kind: 'chips', hardware }, learner: { kind: 'child' }, flushSeconds: 1, startup: 'require' },
    ...{ clock: systemClock, log: { ...silentLog, info } },
  });
  t.after(() => agent.stop());
  return { agent, wires: hardware.buses.get(1), url: served };
}

/** The text of the first scrape in which all of these have a line. */
async function scrapeUntil(url: string, lines: readonly RegExp[]): Promise<string> {
  for (;;) {
    const text = await (await fetch(url)).text();
    if (lines.every((line) => line.test(text))) return text;
    await systemClock.sleep(LOOK_EVERY_MS);
  }
}

const numberIn = (text: string, series: string) =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length),
  );

test(
  'samples, windows, quality, learner and link of a running board, and the fault of a chip that is unplugged',
  LIMIT,
  async (t) => {
    const fleet = await startHttpFleet(t, { config: { rounds: { boards: 1 } } });
    const { agent, wires, url } = await startBoard(t, fleet.server.url);
    const text = await scrapeUntil(url, [
      /^qqr_agent_windows_total [1-9]/m,
      /^qqr_agent_backlog_windows \d/m,
      /^qqr_agent_learner_resident_memory_bytes [1-9]/m,
    ]);
    for (const [series, least, most] of [
      [`qqr_agent_chip_samples_total{chip="${CHIP}"}`, 100, 6000],
      ['qqr_agent_stream_seconds', 0.1, 1e9],
      ['qqr_agent_window_quality_ratio{modality="acc"}', 0.5, 1],
      ['qqr_agent_window_present{modality="gyr"}', 1, 1],
      ['qqr_agent_link_up', 1, 1],
      ['qqr_agent_link_connections_total', 1, 1],
      ['qqr_agent_link_sent_bytes_total', 100, 1e6],
      ['qqr_agent_learner_resident_memory_bytes', 20e6, 700e6],
      ['qqr_agent_learner_deaths_total', 0, 0],
      ['qqr_agent_outbox_updates', 0, 0],
      ['qqr_agent_database_bytes', 4096, 10e6],
      [`qqr_agent_faults_total{chip="${CHIP}",fault="unplugged"}`, 0, 0],
    ] as const) {
      const value = numberIn(text, series);
      assert.ok(value >= least && value <= most, `${series} ${value}\n${text}`);
    }
    assert.doesNotMatch(text, /fault_raised\{|certificate_expiry_timestamp_seconds\{/);
    wires?.unplug(0x68);
    const failing = await scrapeUntil(url, [/^qqr_agent_fault_raised\{.*fault="unplugged",modality="gyr"\} 1$/m]);
    assert.equal(numberIn(failing, `qqr_agent_faults_total{chip="${CHIP}",fault="unplugged"}`), 1);
    await fleet.server.stop();
    await scrapeUntil(url, [/^qqr_agent_link_up 0$/m]);
    wires?.plugIn(0x68);
    const well = await scrapeUntil(url, [/^(?![\s\S]*fault="unplugged",modality)/]);
    assert.equal(numberIn(well, `qqr_agent_faults_total{chip="${CHIP}",fault="unplugged"}`), 1);
    await agent.stop();
    await assert.rejects(fetch(url), 'nobody answers after the stop');
  },
);

test('an agent whose address for metrics is taken does not start, and gives everything back', LIMIT, async (t) => {
  const fleet = await startHttpFleet(t);
  const stateDir = await mkdtemp(join(tmpdir(), 'qqr-agent-metrics-'));
  t.after(() => rm(stateDir, { recursive: true, force: true }));
  const { host } = new URL(`${fleet.server.httpUrl}`);
  const running = new AbortController();
  t.after(() => running.abort());
  const start = async (listen: string) => {
    const settings = { device: 'pi-1', stateDir, sensors: [{ chip: 'mpu6050' as const }], metrics: { listen } };
    const config = parseAgentConfig({ ...settings, link: { url: fleet.server.url } }, 'test');
    const hardware = await simulatedHardware(configuredChips(config.sensors), null, running.signal);
    return startAgent({
      ...{ config, source: { kind: 'chips', hardware }, learner: { kind: 'child' }, flushSeconds: 1 },
      ...{ startup: 'require', clock: systemClock, log: silentLog },
    });
  };
  await assert.rejects(start(host), /cannot listen for metrics: EADDRINUSE/);
  const agent = await start('127.0.0.1:0'); // the state folder is free again
  await agent.stop();
});
