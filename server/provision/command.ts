/** `qqr provision`: certificates and passwords of a fleet. What it does is in provision.ts, loaded only when one of the commands runs. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../../core/base/clock.ts';
import { AppError } from '../../core/base/errors.ts';
import type { IssuedCertificate } from './issued-list.ts';
import type { CertificateRequest, ListedCertificate, Provision } from './provision.ts';

const HELP = `
Examples:
  qqr provision init                                   an authority in ./certs
  qqr provision server --host hub.local 192.168.1.10   the broker, by the names that boards call it by
  qqr provision device aggregator pi-1 pi-2            the aggregator and two boards
  qqr provision renew --all --within 30                what ends within 30 days holds for another year
  qqr provision revoke pi-2                            the broker lets pi-2 in no more
Boards get their own two files and ca.crt. ca.key stays where it was made. docs/security.md goes through it step by step.
`;

const YEAR_DAYS = 365;
const AUTHORITY_DAYS = 3652;

interface Line {
  readonly dir: string;
  readonly json?: boolean;
}

interface IssueLine extends Line {
  readonly days: number;
  readonly force?: boolean;
}

export function provisionCommand(): Command {
  const provision = new Command('provision')
    .description('Certificates and passwords of a fleet: an authority, brokers, boards.')
    .addHelpText('after', HELP);
  command(provision, 'init', 'Make the certificate authority of a fleet.')
    .option('--name <name>', 'its name in every certificate', 'qqr-edge fleet')
    .addOption(days(AUTHORITY_DAYS))
    .option('--force', 'replace the one that is there: all its certificates are worthless then')
    .action(init);
  command(provision, 'server', 'Issue the certificate of a broker.')
    .requiredOption('--host <name...>', 'names and addresses that boards call it by')
    .option('--name <name>', 'name of its files', 'server')
    .addOption(days(YEAR_DAYS))
    .option('--force', 'replace key and certificate of this name')
    .action(({ host, name, ...line }: IssueLine & { host: string[]; name: string }) =>
      issue([{ kind: 'server', name, hosts: host.map(checkedHost) }], line),
    );
  command(
    provision,
    'device',
    'Issue certificates of boards, of the aggregator, of people: whoever connects to the broker.',
  )
    .argument('<name...>', 'names, as in the settings of the boards')
    .addOption(days(YEAR_DAYS))
    .option('--force', 'replace keys and certificates of these names')
    .action((names: string[], line: IssueLine) =>
      issue(
        [...new Set(names)].map((name) => ({ kind: 'client', name, hosts: [] })),
        line,
      ),
    );
  command(provision, 'renew', 'Make certificates hold longer, with the same keys. Prints the names of those renewed.')
    .argument('[name...]', 'whose; or --all')
    .option('--all', 'all that are not revoked')
    .addOption(new Option('--within <days>', 'only what ends within so many days').argParser(wholeDays))
    .addOption(new Option('--days <days>', 'how long they hold (default: as long as before)').argParser(wholeDays))
    .action(renew);
  command(provision, 'revoke', 'Revoke all certificates of these names and write ca.crl anew.')
    .argument('<name...>', 'whose')
    .action(revoke);
  command(provision, 'list', 'List the certificates: name, serial number, end, days left, state.').action(list);
  command(provision, 'password', "Give a user of Mosquitto's password file a new password, and print it.")
    .argument('<name>', 'the user: a board, aggregator, a person')
    .option('--file <file>', 'the password file (default: DIR/passwords)')
    .option('--stdin', 'read the password from standard input instead of making one up')
    .option('--remove', 'take the user out')
    .action(password);
  return provision;
}

function command(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .option('--dir <dir>', 'folder of the certificates', 'certs')
    .option('--json', 'print JSON');
}

function days(standard: number): Option {
  return new Option('--days <days>', 'how long it holds').default(standard).argParser(wholeDays);
}

function wholeDays(text: string): number {
  const value = Number(text);
  if (/^\d{1,5}$/.test(text) && value >= 1 && value <= 36_500) return value;
  throw new InvalidArgumentError('It takes 1 to 36500 days.');
}

/** A DNS name, perhaps with a wildcard for its first label (RFC 6125 §6.4.3), or an IP address. */
function checkedHost(host: string): string {
  if (/^(?:\*\.)?[A-Za-z0-9_.-]{1,253}$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/.test(host)) return host;
  throw new AppError('usage', `${JSON.stringify(host)} is no name or address of a host`, {
    hint: 'Give hub.local or 192.168.1.10, without mqtts:// and port.',
  });
}

async function officeOf({ dir }: Line): Promise<Provision> {
  const { createProvision } = await import('./provision.ts');
  return createProvision({ dir, wallMs: () => systemClock.wallMs() });
}

async function init({ name, force, ...line }: IssueLine & { name: string }): Promise<void> {
  await (await officeOf(line)).init({ name, days: line.days, force: force ?? false });
  say(line, { authority: name, dir: line.dir }, [`${line.dir}/ca.crt`, `${line.dir}/ca.key`, `${line.dir}/ca.crl`]);
}

async function issue(requests: readonly CertificateRequest[], { force, ...line }: IssueLine): Promise<void> {
  const issued = await (await officeOf(line)).issue(requests, { days: line.days, force: force ?? false });
  const ends = (one: IssuedCertificate) => dayOf(one.notAfterS);
  say(
    line,
    issued.map(shownOf),
    issued.map((one) => `${line.dir}/${one.name}.crt ${line.dir}/${one.name}.key until ${ends(one)}`),
  );
}

interface RenewLine extends Line {
  readonly all?: boolean;
  readonly within?: number;
  readonly days?: number;
}

async function renew(names: string[], { all, within, days: length, ...line }: RenewLine): Promise<void> {
  if (names.length > 0 === (all ?? false)) throw new AppError('usage', 'name certificates to renew, or give --all');
  const renewed = await (await officeOf(line)).renew({
    names: all ? null : [...new Set(names)],
    withinDays: within ?? Number.POSITIVE_INFINITY,
    ...(length !== undefined && { days: length }),
  });
  say(
    line,
    renewed.map(shownOf),
    renewed.map(({ name }) => name),
  );
}

async function revoke(names: string[], line: Line): Promise<void> {
  const revoked = await (await officeOf(line)).revoke([...new Set(names)]);
  say(
    line,
    revoked.map(shownOf),
    revoked.map(({ name, serial }) => `${name} ${serial} revoked`),
  );
}

async function list(line: Line): Promise<void> {
  const rows = await (await officeOf(line)).list();
  say(line, rows, [tableLine(['name', 'kind', 'ends', 'days left', 'state', 'serial number']), ...rows.map(rowLine)]);
}

interface PasswordLine extends Line {
  readonly file?: string;
  readonly stdin?: boolean;
  readonly remove?: boolean;
}

async function password(name: string, { file, stdin, remove, ...line }: PasswordLine): Promise<void> {
  const { checkedName } = await import('./certificate-folder.ts');
  const { newPassword, removePassword, setPassword } = await import('./password-file.ts');
  const path = file ?? `${line.dir}/passwords`;
  if (remove) {
    await removePassword(path, checkedName(name));
    return say(line, { name, file: path, removed: true }, [`${name} is no user any more (${path})`]);
  }
  const secret = stdin ? await lineOfInput() : newPassword();
  await setPassword(path, checkedName(name), secret);
  if (stdin) say(line, { name, file: path }, [`${name} has a new password (${path})`]);
  else say(line, { name, file: path, password: secret }, [secret]);
}

/** The first line of standard input. */
async function lineOfInput(): Promise<string> {
  let text = '';
  for await (const piece of process.stdin.setEncoding('utf8')) text += piece;
  const [first = ''] = text.split(/\r?\n/);
  if (first !== '') return first;
  throw new AppError('usage', 'there is no password on standard input');
}

function shownOf({ name, kind, serial, notAfterS, revokedS }: IssuedCertificate) {
  const isoOf = (seconds: number) => new Date(seconds * 1000).toISOString();
  return { name, kind, serial, notAfter: isoOf(notAfterS), ...(revokedS !== null && { revoked: isoOf(revokedS) }) };
}

function rowLine({ name, kind, notAfter, daysLeft, state, serial }: ListedCertificate): string {
  return tableLine([name, kind, notAfter.slice(0, 10), String(daysLeft), state, serial]);
}

function tableLine([name = '', kind = '', ends = '', left = '', state = '', serial = '']: readonly string[]): string {
  return `${name.padEnd(20)} ${kind.padEnd(9)} ${ends.padEnd(10)} ${left.padStart(9)}  ${state.padEnd(8)} ${serial}`;
}

function dayOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

function say({ json }: Line, value: unknown, lines: readonly string[]): void {
  const text = json ? [JSON.stringify(value, null, 2)] : lines;
  process.stdout.write(text.map((one) => `${one}\n`).join(''));
}
