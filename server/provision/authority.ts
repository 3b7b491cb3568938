/**
 * X.509 as a fleet needs it: one authority that signs certificates and a revocation list. EC P-256 with SHA-256 throughout.
 * Invariant: nothing here touches the disk. The only importer of @peculiar/x509.
 * Source: RFC 5280 §4.2 (extensions) and §5 (revocation lists).
 */
import 'reflect-metadata'; // the library below reads its decorators through it
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  type PublicKeyType,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  X509Crl,
  X509CrlGenerator,
  X509CrlReason,
} from '@peculiar/x509';

const KEY = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' } as const;
/** RFC 5280 §5.2.3 */
const CRL_NUMBER = '2.5.29.20';

/** `client`: boards, the aggregator, people. `server`: a broker. A certificate of one kind is not accepted as the other. */
export type CertificateKind = 'client' | 'server';

/** Whole seconds since 1970, as certificates have them. */
export interface Validity {
  readonly notBeforeS: number;
  readonly notAfterS: number;
}

export interface PemPair {
  readonly certificate: string;
  /** PKCS #8. */
  readonly key: string;
}

export interface Subject extends Validity {
  readonly kind: CertificateKind;
  /** The common name, which is what a broker takes for the user's name. */
  readonly name: string;
  /** Names and addresses that a server is reached by. */
  readonly hosts: readonly string[];
  /** Hexadecimal, as `newSerial` makes them. */
  readonly serial: string;
  /** Whose key is certified: a new pair's, or that of an earlier certificate (PEM), which stays as it is. */
  readonly key: { readonly pair: KeyPair } | { readonly certificate: string };
}

export interface Revocation {
  readonly serial: string;
  readonly atS: number;
}

export interface CertificateFacts extends Validity {
  readonly serial: string;
  readonly hosts: readonly string[];
}

export type KeyPair = webcrypto.CryptoKeyPair;

export interface Authority {
  readonly validity: Validity;
  /** PEM. Its end is not after the authority's own. */
  sign(subject: Subject): Promise<string>;
  /** A revocation list, PEM. Of two lists that a broker has read, the one with the later `thisUpdateS` counts. */
  signRevocations(revoked: readonly Revocation[], thisUpdateS: number): Promise<string>;
}

/** 126 random bits: positive, never zero, within RFC 5280's 20 bytes. */
export function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

export async function newKeyPair(): Promise<KeyPair> {
  return (await webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify'])) as KeyPair;
}

/** The private key as PKCS #8 in PEM. */
export async function keyPem({ privateKey }: KeyPair): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', privateKey));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString();
}

/** A new authority that signs certificates of boards and brokers, but no other authority. */
export async function newAuthority(name: string, { notBeforeS, notAfterS }: Validity): Promise<PemPair> {
  const pair = await newKeyPair();
  const subject = [{ CN: [name] }];
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject,
    issuer: subject,
    notBefore: dateOf(notBeforeS),
    notAfter: dateOf(notAfterS),
    publicKey: pair.publicKey,
    signingKey: pair.privateKey,
    signingAlgorithm: SIGNATURE,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(pair.publicKey),
    ],
  });
  return { certificate: pemLine(certificate.toString('pem')), key: await keyPem(pair) };
}

/** The authority of these two files. Throws what the parser throws when they are not what they should be. */
export async function openAuthority({ certificate, key }: PemPair): Promise<Authority> {
  const own = new X509Certificate(certificate);
  const der = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' });
  const signingKey = await webcrypto.subtle.importKey('pkcs8', der, KEY, false, ['sign']);
  const authorityKeyId = await AuthorityKeyIdentifierExtension.create(own.publicKey);
  const validity = validityOf(own);
  return {
    validity,
    async sign({ kind, name, hosts, serial, key: subjectKey, notBeforeS, notAfterS }) {
      const publicKey: PublicKeyType =
        'pair' in subjectKey ? subjectKey.pair.publicKey : new X509Certificate(subjectKey.certificate).publicKey;
      const signed = await X509CertificateGenerator.create({
        serialNumber: serial,
        subject: [{ CN: [name] }],
        issuer: own.subjectName,
        notBefore: dateOf(Math.max(notBeforeS, validity.notBeforeS)),
        notAfter: dateOf(Math.min(notAfterS, validity.notAfterS)),
        publicKey,
        signingKey,
        signingAlgorithm: SIGNATURE,
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
          new ExtendedKeyUsageExtension([
            kind === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth,
          ]),
          ...(hosts.length === 0 ? [] : [new SubjectAlternativeNameExtension(hosts.map(generalName))]),
          await SubjectKeyIdentifierExtension.create(publicKey),
          authorityKeyId,
        ],
      });
      return pemLine(signed.toString('pem'));
    },
    async signRevocations(revoked, thisUpdateS) {
      const list = await X509CrlGenerator.create({
        issuer: own.subjectName,
        thisUpdate: dateOf(thisUpdateS),
        nextUpdate: dateOf(validity.notAfterS),
        entries: revoked.map(({ serial, atS }) => ({
          serialNumber: serial,
          revocationDate: dateOf(atS),
          reason: X509CrlReason.keyCompromise, // nobody knows who has the key of a lost board
        })),
        signingKey,
        signingAlgorithm: SIGNATURE,
        extensions: [authorityKeyId, new Extension(CRL_NUMBER, false, derInteger(thisUpdateS))],
      });
      return pemLine(list.toString('pem').replaceAll(/(BEGIN|END) CRL-/g, '$1 X509 CRL-')); // RFC 7468 §6; OpenSSL reads no other
    },
  };
}

/** What a certificate (PEM) says. Throws what the parser throws. */
export function certificateFacts(pem: string): CertificateFacts {
  const certificate = new X509Certificate(pem);
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.toJSON() ?? [];
  return { serial: certificate.serialNumber, hosts: names.map(({ value }) => value), ...validityOf(certificate) };
}

/** `thisUpdate` of a revocation list (PEM), seconds since 1970. Throws what the parser throws. */
export function revocationListTimeS(pem: string): number {
  return Math.floor(new X509Crl(pem).thisUpdate.getTime() / 1000);
}

function validityOf({ notBefore, notAfter }: X509Certificate): Validity {
  return { notBeforeS: Math.floor(notBefore.getTime() / 1000), notAfterS: Math.floor(notAfter.getTime() / 1000) };
}

function generalName(host: string): { type: 'dns' | 'ip'; value: string } {
  return { type: isIP(host) === 0 ? 'dns' : 'ip', value: host };
}

/** DER's INTEGER of a number below 2⁴⁷. */
function derInteger(value: number): Uint8Array<ArrayBuffer> {
  const hex = value.toString(16);
  const digits = hex.length % 2 === 0 ? hex : `0${hex}`;
  const bytes = Buffer.from(/^[89a-f]/.test(digits) ? `00${digits}` : digits, 'hex');
  return Uint8Array.of(0x02, bytes.length, ...bytes);
}

function dateOf(seconds: number): Date {
  return new Date(seconds * 1000);
}

function pemLine(pem: string): string {
  return `${pem.trimEnd()}\n`;
}
