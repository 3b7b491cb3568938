/** `qqr server`: run an aggregator, look at a round, check a configuration. */
import { Command } from 'commander';
import { systemClock } from '../core/base/clock.ts';
import { AppError, describeError } from '../core/base/errors.ts';
import { onHangup } from '../core/base/hangup.ts';
import { onInterrupt } from '../core/base/interrupt.ts';
import { createPinoLog } from '../core/base/log-pino.ts';
import { createServiceManager } from '../core/base/service-manager.ts';
import { readToml } from '../core/base/toml.ts';
import { parseServerConfig, type ServerConfig, type ServerConfigInput, specFrom, strategyFrom } from './config.ts';
import { deviceTable } from './device-table.ts';
import { embeddedOptionsFrom } from './embedded-settings.ts';
import { loadEvaluation } from './load-evaluation.ts';
import { startServer, storePath } from './main.ts';
import type { RoundRecord } from './record.ts';
import { readArchivedRound, readBoards } from './store/archive.ts';
import { beginNewEpoch } from './store/new-epoch.ts';
import { createStrategy, STRATEGY_NAMES } from './strategies/registry.ts';

const STRATEGIES = STRATEGY_NAMES.map((name) => `  ${name.padEnd(14)} ${createStrategy(name).description}`).join('\n');

const RUN_HELP = `
Strategies:
${STRATEGIES}

Examples:
  qqr server run --boards 2 --state ./state
      broker and aggregator in one process; training starts when two boards are online
  qqr server run --broker mqtt://broker.local:1883 --config /etc/qqr/server.toml
      behind a broker that is there already
  qqr server run --listen 0.0.0.0:1883 --users /etc/qqr/passwords --rounds 50 --json
      for boards on other machines; one JSON object per round on standard output
`;

/** How long the broker waits at the end for boards to say goodbye. */
const FAREWELL_MS = 5000;

interface RunLine {
  config?: string;
  listen?: string;
  broker?: string;
  users?: string;
  anonymous?: boolean;
  http?: string;
  ca?: string;
  cert?: string;
  key?: string;
  state?: string;
  strategy?: string;
  boards?: string;
  rounds?: string;
  quorum?: string;
  deadline?: string;
  spec?: string;
  holdout?: string[];
  seed?: string;
  json?: boolean;
}

export function serverCommand(): Command {
  const server = new Command('server').description('The aggregator: leads the rounds of a fleet of boards.');
  server
    .command('run')
    .description('Run an aggregator until its last round, or until interrupted.')
    .option('--config <file>', 'settings (TOML, documented in server/config.sample.toml)')
    .option('--listen <host:port>', 'address of the embedded broker (default: 127.0.0.1:1883)')
    .option('--broker <url>', 'use this broker and start none, mqtt://HOST:PORT or mqtts://HOST:PORT')
    .option('--ca <file>', "for mqtts://: CAs that may have signed the broker's certificate, PEM")
    .option('--cert <file>', "for mqtts://: the aggregator's certificate, PEM; with --key")
    .option('--key <file>', 'its private key, PEM, mode 0600')
    .option('--users <file>', 'users and passwords of the embedded broker, as mosquitto_passwd writes them')
    .option('--anonymous', 'let everybody in who reaches the embedded broker')
    .option('--http <host:port>', 'address of the API and dashboard, or off (default: 127.0.0.1:8080)')
    .option('--state <dir>', 'folder of the database (default: /var/lib/qqr-server)')
    .option('--strategy <name>', 'one of those below (default: qqr)')
    .option('--boards <n>', 'boards that must be online before a round opens (default: 1)')
    .option('--rounds <n>', 'training rounds, 0 = until every recording has ended (default: 0)')
    .option('--quorum <share>', 'share of the boards asked that closes a round (default: 0.8)')
    .option('--deadline <seconds>', 'closes a round with whoever has answered, 0 = never (default: 300)')
    .option('--spec <file>', 'take the [model] table from this TOML file')
    .option('--holdout <trace...>', 'labelled recordings to evaluate on')
    .option('--seed <n>', "seed of the first model's parameters (default: 1)")
    .option('--json', 'one JSON object per round on standard output')
    .addHelpText('after', RUN_HELP)
    .action(run);
  server
    .command('show-round')
    .description('Show a closed round: who was counted, bytes, quality, accuracy.')
    .argument('[round]', 'its number (default: the newest)')
    .requiredOption('--state <dir>', 'state folder of the aggregator')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  qqr server show-round 12 --state ./state')
    .action(showRound);
  server
    .command('devices')
    .description('Show the boards: last round, how often counted and clipped, last norm, refusals by reason.')
    .requiredOption('--state <dir>', 'state folder of the aggregator')
    .option('--json', 'print one JSON object a board')
    .addHelpText('after', '\nExample:\n  qqr server devices --state ./state')
    .action(showDevices);
  server
    .command('new-epoch')
    .description(
      'After a backup was restored: let boards that are ahead of it begin anew with it. The aggregator must not run.',
    )
    .requiredOption('--state <dir>', 'state folder of the aggregator')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  qqr server new-epoch --state ./state')
    .action(newEpoch);
  server
    .command('check-config')
    .description('Check a configuration file; exit status 78 and the place when something is wrong.')
    .requiredOption('--config <file>', 'settings (TOML)')
    .option('--json', 'print the settings with all defaults')
    .addHelpText('after', '\nExample:\n  qqr server check-config --config /etc/qqr/server.toml --json')
    .action(checkConfig);
  return server;
}

async function run(line: RunLine): Promise<void> {
  const config = await configOf(line);
  strategyFrom(config); // what it refuses, it refuses before recordings are read
  embeddedOptionsFrom(config);
  const log = createPinoLog('qqr-server', config.log.level);
  const { holdout } = config.evaluation;
  const evaluation =
    holdout.length === 0
      ? null
      : await loadEvaluation(holdout, specFrom(config), config.model.windowSeconds, config.seed);
  const show = line.json ? (record: RoundRecord) => `${JSON.stringify(record)}\n` : summaryLine;
  const server = await startServer({
    config,
    clock: systemClock,
    log,
    evaluation,
    onRound: (record) => void process.stdout.write(show(record)),
  });
  const manager = createServiceManager(process.env, log);
  await manager.ready(`leads ${config.fleet}`);
  const interrupt = () => void manager.stopping().then(() => server.stop());
  const reload = () => {
    server.renewLink();
    server.reload().catch((error: unknown) => log.error({ error: describeError(error) }, 'files not read again'));
  };
  const ignoreSignals = [onInterrupt(interrupt), onHangup(process.stdin.isTTY, { reload, end: interrupt })];
  try {
    const { complete } = await server.finished;
    if (complete) await Promise.race([server.farewell(), systemClock.sleep(FAREWELL_MS)]);
  } finally {
    await server.stop();
    for (const ignore of ignoreSignals) ignore();
  }
}

/** Settings of the file, over them those of the command line. */
async function configOf(line: RunLine): Promise<ServerConfig> {
  // Unchecked so far: `parseServerConfig` says what is wrong with it.
  const file: ServerConfigInput = line.config === undefined ? {} : await readToml(line.config);
  const model: ServerConfigInput = line.spec === undefined ? {} : { model: await modelTable(line.spec) };
  const settings: ServerConfigInput = {
    ...file,
    ...model,
    ...defined({ stateDir: line.state, seed: numberOf('--seed', line.seed) }),
    broker: {
      ...file.broker,
      ...defined({
        listen: line.listen,
        url: line.broker,
        usersFile: line.users,
        anonymous: line.anonymous,
        ca: line.ca,
        cert: line.cert,
        key: line.key,
      }),
    },
    http: { ...file.http, ...defined({ listen: line.http }) },
    rounds: {
      ...file.rounds,
      ...defined({
        boards: numberOf('--boards', line.boards),
        max: numberOf('--rounds', line.rounds),
        quorum: numberOf('--quorum', line.quorum),
        deadlineS: numberOf('--deadline', line.deadline),
      }),
    },
    strategy: { ...file.strategy, ...defined({ name: line.strategy as (typeof STRATEGY_NAMES)[number] | undefined }) },
    evaluation: { ...file.evaluation, ...defined({ holdout: line.holdout }) },
  };
  return parseServerConfig(settings, line.config ?? 'command line');
}

async function modelTable(path: string): Promise<NonNullable<ServerConfigInput['model']>> {
  const { model } = (await readToml(path)) as ServerConfigInput;
  if (model !== undefined) return model;
  throw new AppError('config-invalid', 'the file has no [model] table', {
    where: path,
    hint: 'server/config.sample.toml shows one',
  });
}

function defined<T extends object>(settings: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof defined<T>
  >;
}

function numberOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new AppError('usage', `${option} takes a number, not ${text}`);
}

function summaryLine(record: RoundRecord): string {
  const { round, devices, online, evaluation, bytes } = record;
  const percent = (share: number | undefined) =>
    share === undefined ? '     -' : `${(100 * share).toFixed(1).padStart(5)}%`;
  const size = Math.round(bytes.payload / Math.max(1, devices.length));
  return `round ${String(round).padStart(4)}  boards ${String(devices.length).padStart(4)}  online ${percent(online?.accuracy)}  held out ${percent(evaluation?.clean)}  ${String(size).padStart(6)} B a board\n`;
}

function showRound(round: string | undefined, { state, json }: { state: string; json?: boolean }): void {
  const archived = readArchivedRound(
    storePath(state),
    round === undefined ? 'last' : (numberOf('round', round) as number),
  );
  process.stdout.write(`${JSON.stringify(archived, null, json ? undefined : 2)}\n`);
}

function showDevices({ state, json }: { state: string; json?: boolean }): void {
  const boards = readBoards(storePath(state));
  const lines = json ? boards.map((board) => JSON.stringify(board)) : deviceTable(boards);
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

function newEpoch({ state, json }: { state: string; json?: boolean }): void {
  const begun = beginNewEpoch(storePath(state));
  const { epoch, round, dropped } = begun;
  const text = `epoch ${epoch} begins with round ${round}; ${dropped} updates of the open round are dropped`;
  process.stdout.write(`${json ? JSON.stringify(begun) : text}\n`);
}

async function checkConfig({ config: path, json }: { config: string; json?: boolean }): Promise<void> {
  const config = parseServerConfig(await readToml(path), path);
  const { settings } = strategyFrom(config);
  specFrom(config);
  embeddedOptionsFrom(config);
  process.stdout.write(json ? `${JSON.stringify({ ...config, settings }, null, 2)}\n` : `${path}: ok\n`);
}
