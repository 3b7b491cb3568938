/**
 * What a fleet's certificates go through: an authority, certificates of brokers and clients, renewal, revocation.
 * Invariant: a certificate is in the list of issued ones before its file exists, so that each one that is about can be revoked.
 * Renewal certifies the same key again: only `NAME.crt` changes, and the key never leaves the board for it.
 */
import { AppError } from '../../core/base/errors.ts';
import {
  type CertificateKind,
  certificateFacts,
  type KeyPair,
  keyPem,
  newAuthority,
  newKeyPair,
  newSerial,
  type Subject,
} from './authority.ts';
import { AUTHORITY_NAME, type CertificateFolder, checkedName, openCertificateFolder } from './certificate-folder.ts';
import type { IssuedCertificate } from './issued-list.ts';

const DAY_S = 86_400;
/** A certificate holds from a day before it is made: boards without a clock of their own start in the past. */
const BACKDATED_S = DAY_S;

export interface CertificateRequest {
  readonly kind: CertificateKind;
  readonly name: string;
  /** Names and addresses of a server; none for a client. */
  readonly hosts: readonly string[];
}

export type CertificateState = 'valid' | 'replaced' | 'expired' | 'revoked';

export interface ListedCertificate {
  readonly name: string;
  readonly kind: CertificateKind | 'authority';
  readonly serial: string;
  /** ISO 8601 */
  readonly notAfter: string;
  /** Whole days that it still holds; negative when it has expired. */
  readonly daysLeft: number;
  /** `replaced`: there is a newer one of the same name; brokers still accept this one. */
  readonly state: CertificateState;
}

export interface Provision {
  /** @throws AppError `output-failed` when there is an authority already, unless `force`, which makes all its certificates worthless */
  init(options: { readonly name: string; readonly days: number; readonly force: boolean }): Promise<void>;
  /** New keys and certificates. With `force` those of the same names are replaced; the former ones hold until they are revoked. */
  issue(
    requests: readonly CertificateRequest[],
    options: { readonly days: number; readonly force: boolean },
  ): Promise<IssuedCertificate[]>;
  /** Certifies the newest certificates' keys again. Of those that hold longer than `withinDays` nothing is changed. */
  renew(options: {
    /** null = all that are not revoked. */
    readonly names: readonly string[] | null;
    readonly withinDays: number;
    /** Default: as long as before. */
    readonly days?: number;
  }): Promise<IssuedCertificate[]>;
  /** Revokes all certificates of these names and writes the revocation list anew. Doing it twice is harmless. */
  revoke(names: readonly string[]): Promise<IssuedCertificate[]>;
  list(): Promise<ListedCertificate[]>;
}

export interface ProvisionOptions {
  readonly dir: string;
  /** Wall time, milliseconds since 1970. */
  readonly wallMs: () => number;
  /** How long another process may keep the folder; default 5000. */
  readonly patienceMs?: number;
}

export function createProvision({ dir, wallMs, patienceMs }: ProvisionOptions): Provision {
  const folder = openCertificateFolder(dir, patienceMs);
  const nowS = () => Math.floor(wallMs() / 1000);
  return {
    init: ({ name, days, force }) =>
      folder.exclusively(async () => {
        if (!force) refuseExisting(folder, [AUTHORITY_NAME]);
        const { certificate, key } = await newAuthority(name, validityFrom(nowS(), days));
        await folder.writeIssued([]);
        await folder.writeKey(AUTHORITY_NAME, key);
        await folder.writeCertificate(AUTHORITY_NAME, certificate);
        await writeRevocations(folder, [], nowS());
      }),
    issue: (requests, { days, force }) =>
      folder.exclusively(async () => {
        const names = requests.map(({ name }) => checkedName(name));
        if (!force) refuseExisting(folder, names);
        await refuseOtherKind(folder, requests);
        const subjects = await Promise.all(
          requests.map(async (request) => ({
            ...request,
            ...validityFrom(nowS(), days),
            serial: newSerial(),
            key: { pair: await newKeyPair() },
          })),
        );
        return signAll(folder, subjects);
      }),
    renew: ({ names, withinDays, days }) =>
      folder.exclusively(async () => {
        const newest = newestOf(await folder.issued());
        const chosen = names?.map((name) => renewable(newest, name)) ?? [...newest.values()].filter(isUnrevoked);
        const due = chosen.filter(({ notAfterS }) => notAfterS - nowS() <= withinDays * DAY_S);
        const subjects = await Promise.all(due.map((issued) => renewed(folder, issued, nowS(), days)));
        return signAll(folder, subjects);
      }),
    revoke: (names) =>
      folder.exclusively(async () => {
        const issued = await folder.issued();
        for (const name of names) known(newestOf(issued), name);
        const list = issued.map((one) =>
          names.includes(one.name) && isUnrevoked(one) ? { ...one, revokedS: nowS() } : one,
        );
        await folder.writeIssued(list);
        await writeRevocations(folder, list, nowS());
        return list.filter(({ name }) => names.includes(name));
      }),
    list: () => listAll(folder, nowS()),
  };
}

/** Notes the certificates, then writes keys and certificates. */
async function signAll(folder: CertificateFolder, subjects: readonly Subject[]): Promise<IssuedCertificate[]> {
  const authority = await folder.authority();
  const signed: { readonly issued: IssuedCertificate; readonly pem: string; readonly pair: KeyPair | null }[] = [];
  for (const subject of subjects) {
    const { kind, name, serial, key } = subject;
    const pem = await authority.sign(subject);
    const { notBeforeS, notAfterS } = certificateFacts(pem);
    const issued = { serial, name, kind, notBeforeS, notAfterS, revokedS: null };
    signed.push({ issued, pem, pair: 'pair' in key ? key.pair : null });
  }
  const issued = signed.map((one) => one.issued);
  if (issued.length > 0) await folder.writeIssued([...(await folder.issued()), ...issued]);
  for (const { issued: one, pem, pair } of signed) {
    if (pair !== null) await folder.writeKey(one.name, await keyPem(pair));
    await folder.writeCertificate(one.name, pem);
  }
  return issued;
}

/** Later than the list before by a second at least: a broker that has read both goes by the later one. */
async function writeRevocations(
  folder: CertificateFolder,
  issued: readonly IssuedCertificate[],
  nowS: number,
): Promise<void> {
  const authority = await folder.authority();
  const revoked = issued.flatMap(({ serial, revokedS }) => (revokedS === null ? [] : [{ serial, atS: revokedS }]));
  const thisUpdateS = Math.max(nowS - BACKDATED_S, (await folder.revocationsS()) + 1);
  await folder.writeRevocations(await authority.signRevocations(revoked, thisUpdateS));
}

async function renewed(
  folder: CertificateFolder,
  { name, kind, notBeforeS, notAfterS }: IssuedCertificate,
  nowS: number,
  days: number | undefined,
): Promise<Subject> {
  const certificate = await folder.certificate(name);
  if (certificate === null) {
    throw new AppError('input-missing', `the certificate of ${name} is not in the folder`, {
      where: `${name}.crt`,
      hint: 'Put it back, or issue a new one with --force.',
    });
  }
  const lengthDays = days ?? Math.round((notAfterS - notBeforeS - BACKDATED_S) / DAY_S);
  const { hosts } = certificateFacts(certificate);
  return { kind, name, hosts, serial: newSerial(), key: { certificate }, ...validityFrom(nowS, lengthDays) };
}

async function listAll(folder: CertificateFolder, nowS: number): Promise<ListedCertificate[]> {
  const [authority, issued] = [await folder.certificate(AUTHORITY_NAME), await folder.issued()];
  await folder.authority(); // says so when there is none
  const newest = newestOf(issued);
  const rows = issued.map((one) => {
    const isNewest = newest.get(one.name) === one;
    return { ...listed(one, nowS), state: stateOf(one, isNewest, nowS), isNewest };
  });
  const { serial, notAfterS } = certificateFacts(authority as string);
  const own = listed({ name: AUTHORITY_NAME, kind: 'authority', serial, notAfterS }, nowS);
  const shown = rows.filter(({ state, isNewest }) => isNewest || state === 'valid' || state === 'replaced');
  return [
    { ...own, state: notAfterS < nowS ? ('expired' as const) : ('valid' as const) },
    ...shown.map(({ isNewest: _, ...row }) => row).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)),
  ];
}

function listed(
  one: Pick<ListedCertificate, 'name' | 'kind' | 'serial'> & { readonly notAfterS: number },
  nowS: number,
): Omit<ListedCertificate, 'state'> {
  const { name, kind, serial, notAfterS } = one;
  const notAfter = new Date(notAfterS * 1000).toISOString().replace('.000Z', 'Z');
  return { name, kind, serial, notAfter, daysLeft: Math.floor((notAfterS - nowS) / DAY_S) };
}

function stateOf(one: IssuedCertificate, isNewest: boolean, nowS: number): CertificateState {
  if (!isUnrevoked(one)) return 'revoked';
  if (one.notAfterS < nowS) return 'expired';
  return isNewest ? 'valid' : 'replaced';
}

/** Name → the certificate that was signed last. */
function newestOf(issued: readonly IssuedCertificate[]): Map<string, IssuedCertificate> {
  return new Map(issued.map((one) => [one.name, one]));
}

function known(newest: ReadonlyMap<string, IssuedCertificate>, name: string): IssuedCertificate {
  const found = newest.get(name);
  if (found !== undefined) return found;
  throw new AppError('usage', `no certificate was issued to ${JSON.stringify(name)}`, {
    hint: 'qqr provision list shows all names.',
  });
}

function renewable(newest: ReadonlyMap<string, IssuedCertificate>, name: string): IssuedCertificate {
  const found = known(newest, name);
  if (isUnrevoked(found)) return found;
  throw new AppError('usage', `the certificate of ${name} is revoked, and so is its key`, {
    hint: 'Issue a new key and certificate with --force.',
  });
}

function isUnrevoked({ revokedS }: IssuedCertificate): boolean {
  return revokedS === null;
}

function refuseExisting(folder: CertificateFolder, names: readonly string[]): void {
  const path = folder.existing(names);
  if (path === null) return;
  throw new AppError('output-failed', 'there is such a key or certificate already', {
    where: path,
    hint: 'Leave it as it is (qqr provision renew makes a key hold longer), or replace it with --force.',
  });
}

/** A name is a broker's or a client's for good: who has a client's certificate of that name must not pass for the broker. */
async function refuseOtherKind(folder: CertificateFolder, requests: readonly CertificateRequest[]): Promise<void> {
  const newest = newestOf(await folder.issued());
  for (const { name, kind } of requests) {
    const before = newest.get(name)?.kind ?? kind;
    if (before === kind) continue;
    throw new AppError('usage', `${name} is the name of a ${before} already`, { hint: 'Choose another name.' });
  }
}

function validityFrom(nowS: number, days: number): { notBeforeS: number; notAfterS: number } {
  return { notBeforeS: nowS - BACKDATED_S, notAfterS: nowS + days * DAY_S };
}
