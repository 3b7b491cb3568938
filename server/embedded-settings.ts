/**
 * Settings of the embedded broker: their schema, and what they come to. Nobody from another machine gets in without proving who they
 * are, unless the settings say so: a broker that is open by mistake is found within hours.
 */
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../core/base/errors.ts';
import type { Log } from '../core/base/log.ts';
import { topics } from '../core/wire/topics.ts';
import { DEFAULT_BROKER_LIMITS } from './source/broker-limits.ts';
import type { EmbeddedBrokerOptions } from './source/embedded.ts';

const count = (max: number, byDefault: number) => z.number().int().min(1).max(max).default(byDefault);
const MIB = 2 ** 20;
const DAY_MS = 86_400_000;
const byDefault = DEFAULT_BROKER_LIMITS;

/** Keys of the table `[broker]` that are about the embedded one, beside `listen`. */
export const embeddedKeys = {
  anonymous: z.boolean().default(false),
  usersFile: z.string().min(1).optional(),
  tls: z
    .strictObject({
      cert: z.string().min(1),
      key: z.string().min(1),
      ca: z.string().min(1).optional(),
      crl: z.string().min(1).optional(),
    })
    .optional(),
  durable: z.boolean().default(true),
  limits: z
    .strictObject({
      connections: count(100_000, byDefault.connections),
      connectionsPerAddress: count(100_000, byDefault.connectionsPerAddress),
      packetsPerSecond: count(100_000, byDefault.packetsPerSecond),
      subscriptions: count(10_000, byDefault.subscriptions),
      keepaliveS: z.number().int().min(10).max(65_535).default(byDefault.keepaliveS),
      queueMb: count(1024, byDefault.queueBytes / MIB),
      sessions: count(100_000, byDefault.sessions),
      sessionDays: count(3650, byDefault.sessionMs / DAY_MS),
      sessionMessages: count(1_000_000, byDefault.sessionMessages),
      sessionMb: count(65_536, byDefault.sessionBytes / MIB),
      storedMb: count(65_536, byDefault.storedBytes / MIB),
    })
    .prefault({}),
};

const schema = z.strictObject({ listen: z.string(), url: z.string().optional(), ...embeddedKeys });
export type EmbeddedSettings = Pick<z.infer<typeof schema>, keyof typeof embeddedKeys | 'listen' | 'url'>;

/** Of the aggregator's settings, those that the embedded broker is made of. */
export interface BrokerSettings {
  readonly broker: EmbeddedSettings;
  readonly fleet: string;
  readonly stateDir: string;
  readonly limits: { readonly maxUpdateBytes: number };
}

/** Room for an MQTT packet's topic beside the payload. */
const PACKET_HEADROOM_BYTES = 4096;

/** @throws AppError 'config-invalid' when strangers could come in, or settings contradict each other */
export function embeddedOptionsFrom({
  broker,
  fleet,
  stateDir,
  limits,
}: BrokerSettings): Omit<EmbeddedBrokerOptions, 'log'> {
  checkAccess(broker);
  const { host, port } = addressOf(broker.listen);
  const { queueMb, sessionDays, sessionMb, storedMb, ...asTheyAre } = broker.limits;
  const { usersFile: passwordFile = null, tls } = broker;
  return {
    host,
    port,
    maxPacketBytes: limits.maxUpdateBytes + PACKET_HEADROOM_BYTES,
    access: {
      topics: topics(fleet),
      passwordFile,
      tls: tls === undefined ? null : { cert: tls.cert, key: tls.key, ca: tls.ca ?? null, crl: tls.crl ?? null },
    },
    ...(broker.durable && { sessionDir: join(stateDir, 'broker') }),
    limits: {
      ...asTheyAre,
      queueBytes: queueMb * MIB,
      sessionMs: sessionDays * DAY_MS,
      sessionBytes: sessionMb * MIB,
      storedBytes: storedMb * MIB,
    },
  };
}

/** Says in the log when everybody on the network may come in. */
export function warnWhenOpen({ broker }: BrokerSettings, log: Log): void {
  if (!broker.anonymous || isLoopback(addressOf(broker.listen).host)) return;
  log.warn(
    { listen: broker.listen },
    'broker.anonymous: whoever reaches this address may read every model and send updates in the name of every board',
  );
}

/** @throws AppError 'config-invalid' */
function checkAccess({ listen, url, anonymous, usersFile, tls }: EmbeddedSettings): void {
  const refuse = (where: string, what: string, hint: string) => {
    throw new AppError('config-invalid', what, { where, hint });
  };
  const proves = usersFile !== undefined || tls?.ca !== undefined;
  if (url !== undefined) {
    if (!proves && tls === undefined && !anonymous) return;
    refuse(
      'broker.url',
      'usersFile, tls and anonymous are about the embedded broker',
      'Leave them out, or leave out url.',
    );
  }
  if (usersFile !== undefined && tls?.ca !== undefined) {
    refuse(
      'broker.usersFile',
      'a board proves itself by a password or by a certificate',
      'Leave out usersFile or tls.ca.',
    );
  }
  if (tls?.crl !== undefined && tls.ca === undefined) {
    refuse('broker.tls.crl', 'a list of revoked certificates says nothing without their CA', 'Add broker.tls.ca.');
  }
  if (anonymous && proves)
    refuse('broker.anonymous', 'boards prove who they are, so nobody is anonymous', 'Leave it out.');
  if (proves || anonymous || isLoopback(addressOf(listen).host)) return;
  refuse(
    'broker.listen',
    `${listen} lets other machines in, and nothing says who may come`,
    'Set broker.usersFile (--users), or broker.tls with a ca; or broker.anonymous = true (--anonymous) if everybody on that network may.',
  );
}

function addressOf(listen: string): { host: string; port: number } {
  const at = listen.lastIndexOf(':');
  return { host: listen.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(listen.slice(at + 1)) };
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** True for addresses and names that only this machine can reach. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return LOOPBACK.check(host, 'ipv4');
  if (isIPv6(host)) return LOOPBACK.check(host, 'ipv6');
  return host.toLowerCase() === 'localhost';
}
