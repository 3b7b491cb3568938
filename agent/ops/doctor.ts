/**
 * What could keep a board from working, looked at one by one, each with what to do about it. A check that cannot be made says so and
 * stops no other. What the checks look at comes in as `Patient`, so that tests can make it ill.
 */
import { AppError, type ErrorCode } from '../../core/base/errors.ts';
import { EXPIRY_WARNING_DAYS, expiryDays } from '../../core/link/certificate.ts';
import type { LinkFiles, LinkSecrets } from '../../core/link/link-files.ts';
import type { I2cBus } from '../hw/i2c.ts';
import type { ConfiguredChip } from '../sensors/board-chips.ts';
import { CHIPS } from '../sensors/registry.ts';

export interface Finding {
  readonly what: string;
  readonly state: 'ok' | 'warn' | 'fail';
  readonly found: string;
  /** What to do; with every `warn` and `fail`. */
  readonly todo?: string;
  /** Of a `fail`: the exit status of the command is this code's. */
  readonly code?: ErrorCode;
}

export interface Patient {
  readonly node: { readonly version: string; readonly arch: string };
  readonly memoryMb: number;
  /** Names of packages, each with why it does not load, or null. */
  readonly packages: () => Promise<readonly { readonly name: string; readonly problem: string | null }[]>;
  readonly chips: readonly ConfiguredChip[];
  readonly openBus: (n: number) => Promise<I2cBus>;
  /** Null: the system does not tell. */
  readonly busSpeedHz: (n: number) => Promise<number | null>;
  /** Null: the system does not tell. */
  readonly isClockSynchronized: () => Promise<boolean | null>;
  /** Of CA, certificate, key and password; empty without TLS and password. */
  readonly link: LinkFiles;
  /** Their content; rejects with AppError when it does not do. */
  readonly readLink: () => Promise<LinkSecrets>;
  /** Milliseconds since 1970, by the board's clock. */
  readonly wallMs: () => number;
  /** Rejects with AppError `link-unavailable` or `link-untrusted`. */
  readonly reachBroker: () => Promise<string>;
  readonly stateDir: string;
  /** Rejects with AppError `storage-failed`. */
  readonly writeState: () => Promise<void>;
  readonly freeMb: () => Promise<number>;
  readonly needs: { readonly learnerMb: number; readonly bufferMb: number };
  /** Another agent answers in the state folder. */
  readonly isRunning: () => Promise<boolean>;
}

const SUPPORTED = ['x64', 'arm64'];
const OLDEST_NODE = [20, 19] as const;

/** In the order in which a person would look. */
export async function examine(patient: Patient): Promise<Finding[]> {
  const findings = [checkNode(patient), checkMemory(patient), ...(await checkPackages(patient))];
  for (const chip of patient.chips) findings.push(await guarded(nameOf(chip), () => checkChip(chip, patient)));
  for (const bus of new Set(patient.chips.map((chip) => chip.bus))) findings.push(await checkSpeed(bus, patient));
  if (patient.chips.length === 0) findings.push(noChips);
  findings.push(await guarded('clock', () => checkClock(patient)));
  findings.push(...(await checkLinkFiles(patient)));
  findings.push(await guarded('broker', async () => ok('broker', await patient.reachBroker())));
  findings.push(
    await guarded('state folder', async () => {
      await patient.writeState();
      return ok('state folder', `${patient.stateDir} can be written`);
    }),
  );
  findings.push(await guarded('disk', () => checkDisk(patient)));
  findings.push(await guarded('agent', () => checkRunning(patient)));
  return findings;
}

function ok(what: string, found: string): Finding {
  return { what, state: 'ok', found };
}

/** A check that throws has found what it threw. */
async function guarded(what: string, check: () => Promise<Finding>): Promise<Finding> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const place = error.where === undefined ? '' : ` (${error.where})`;
    return { what, state: 'fail', found: `${error.message}${place}`, todo: error.hint ?? '', code: error.code };
  }
}

function checkNode({ node: { version, arch } }: Patient): Finding {
  const found = `Node.js ${version}, ${arch}`;
  const [major = 0, minor = 0] = version.replace('v', '').split('.').map(Number);
  const isOld = major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1]);
  if (isOld)
    return { what: 'node', state: 'fail', found, todo: 'install Node.js 20.19 or newer', code: 'dependency-missing' };
  if (SUPPORTED.includes(arch)) return ok('node', found);
  return { what: 'node', state: 'fail', found, todo: 'use a 64-bit system: x64 or arm64', code: 'dependency-missing' };
}

function checkMemory({ memoryMb, needs: { learnerMb } }: Patient): Finding {
  const found = `${Math.round(memoryMb)} MB, the learner may take ${learnerMb}`;
  if (memoryMb > learnerMb + 150) return ok('memory', found);
  return {
    what: 'memory',
    state: 'warn',
    found,
    todo: 'lower learner.memoryMb (it needs about 400), or use a bigger board',
  };
}

async function checkPackages({ packages }: Patient): Promise<Finding[]> {
  return (await packages()).map(({ name, problem }) => {
    if (problem === null) return ok(name, 'loads');
    const todo = `reinstall it: npm rebuild ${name}`;
    return { what: name, state: 'fail', found: problem, todo, code: 'dependency-missing' };
  });
}

function nameOf({ chip, bus, address }: ConfiguredChip): string {
  return `${chip} at ${bus}:0x${address.toString(16)}`;
}

async function checkChip(settings: ConfiguredChip, { openBus }: Patient): Promise<Finding> {
  const bus = await openBus(settings.bus);
  try {
    const create = await CHIPS[settings.chip].load();
    const chip = create({ bus, settings, nowUs: () => 0, sleep: () => Promise.resolve() });
    const { part, warning } = await chip.identify();
    const rates = chip.modalities.map(({ name, sampleRateHz }) => `${name} ${Number(sampleRateHz.toFixed(2))} Hz`);
    const found = `${part}: ${rates.join(', ')}`;
    if (warning === undefined) return ok(nameOf(settings), found);
    return { what: nameOf(settings), state: 'warn', found, todo: warning };
  } finally {
    await bus.close();
  }
}

const noChips: Finding = {
  what: 'sensors',
  state: 'warn',
  found: 'none configured',
  todo: "add a [[sensors]] block: 'qqr agent probe' prints it",
};

/** Clock periods of a byte on the bus, its acknowledgement included. */
const BITS_PER_BYTE = 9;
/** A burst read of accelerometer and gyroscope: bytes of a sample, and per read of about eight samples the address twice and the register. */
const BYTES_PER_SAMPLE = 12.5;
const SAFE_SHARE = 0.6;

async function checkSpeed(bus: number, { chips, busSpeedHz }: Patient): Promise<Finding> {
  const what = `bus ${bus}`;
  const speedHz = await busSpeedHz(bus);
  if (speedHz === null) return ok(what, 'the system does not tell its speed');
  const samples = chips.filter((chip) => chip.bus === bus).reduce((sum, { rateHz }) => sum + rateHz, 0);
  const share = (samples * BYTES_PER_SAMPLE * BITS_PER_BYTE) / speedHz;
  const found = `${speedHz / 1000} kHz, ${Math.ceil(100 * share)} % of it for ${samples} samples a second`;
  if (share < SAFE_SHARE) return ok(what, found);
  const todo = 'set dtparam=i2c_arm_baudrate=400000 in /boot/firmware/config.txt, or lower sensors.rateHz';
  return { what, state: 'warn', found, todo };
}

async function checkClock({ isClockSynchronized }: Patient): Promise<Finding> {
  const isSynchronized = await isClockSynchronized();
  if (isSynchronized === true) return ok('clock', 'synchronized');
  if (isSynchronized === null) return ok('clock', 'the system does not tell');
  const todo = 'windows do not need it; encrypted connections do: enable NTP (timedatectl set-ntp true)';
  return { what: 'clock', state: 'warn', found: 'not synchronized', todo };
}

async function checkLinkFiles({ link, readLink, wallMs }: Patient): Promise<Finding[]> {
  const { ca, cert, key, passwordFile } = link;
  const named = [ca, cert, key, passwordFile].filter((path) => path !== undefined);
  if (named.length === 0) return [];
  const findings: Finding[] = [];
  const files = await guarded('link files', async () => {
    const secrets = await readLink();
    if (ca !== undefined) findings.push(checkExpiry('CA', ca, `${secrets.ca}`, wallMs()));
    if (cert !== undefined) findings.push(checkExpiry('certificate', cert, `${secrets.cert}`, wallMs()));
    const [warning] = secrets.warnings;
    if (warning === undefined)
      return ok('link files', `${named.join(', ')}${key === undefined ? '' : ': the key fits'}`);
    return { what: 'link files', state: 'warn', found: warning, todo: 'take the right away: chmod 600' };
  });
  return [files, ...findings];
}

function checkExpiry(what: string, path: string, pem: string, nowMs: number): Finding {
  const days = expiryDays(pem, nowMs);
  if (days < 0) {
    const found = `${path} has expired ${Math.floor(-days)} days ago, by this board's clock`;
    return { what, state: 'fail', found, todo: 'renew it; if the clock is wrong, set it', code: 'link-untrusted' };
  }
  const found = `${path} is valid for ${Math.floor(days)} more days`;
  if (days >= EXPIRY_WARNING_DAYS) return ok(what, found);
  return { what, state: 'warn', found, todo: 'renew it, then: systemctl reload qqr-agent' };
}

async function checkDisk({ freeMb, stateDir, needs: { bufferMb } }: Patient): Promise<Finding> {
  const free = await freeMb();
  const found = `${Math.round(free)} MB free at ${stateDir}, the buffer may take ${bufferMb}`;
  if (free > bufferMb) return ok('disk', found);
  return { what: 'disk', state: 'warn', found, todo: 'lower buffer.capMb, or free space' };
}

async function checkRunning({ isRunning, stateDir }: Patient): Promise<Finding> {
  if (!(await isRunning())) return ok('agent', 'none runs on this state folder');
  const todo = 'chips may answer oddly while it reads them: systemctl stop qqr-agent for a full check';
  return { what: 'agent', state: 'warn', found: `one runs on ${stateDir}`, todo };
}
