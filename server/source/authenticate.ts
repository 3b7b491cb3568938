/**
 * Who a client of the embedded broker is. The user's name comes from a certificate or from a checked password; the client id must be
 * that name, since whoever connects with a client id ends the connection that has it and gets its session (MQTT 3.1.1 §3.1.4).
 * Operators and dashboards may add to the name: `operator/anything`. Names cannot hold a slash, so no board can be called so.
 * Invariant: nobody is the aggregator but who comes over the aggregator's own listener with the secret of this start.
 */
import { timingSafeEqual } from 'node:crypto';
import type { AedesOptions, Client } from 'aedes';
import type { Log } from '../../core/base/log.ts';
import { AGGREGATOR, PEOPLE } from '../../core/wire/access.ts';
import { isName } from '../../core/wire/topics.ts';
import type { Proof } from './access-files.ts';
import type { Attempts } from './attempts.ts';
import type { BrokerCounters } from './broker-counters.ts';
import { createPasswordChecker } from './password-file.ts';

/** How a connection came in. */
export type Origin =
  | { readonly kind: 'own' }
  | { readonly kind: 'board'; readonly address: string; readonly commonName: string | null };

export interface AuthenticateParts {
  readonly originOf: (client: Client) => Origin | undefined;
  /** Asked at each connection: files may have been read again. */
  readonly proof: () => Proof;
  /** The aggregator's, of this start. */
  readonly secret: Uint8Array;
  readonly attempts: Attempts;
  readonly counters: BrokerCounters;
  readonly log: Log;
}

export interface Authenticator {
  readonly authenticate: NonNullable<AedesOptions['authenticate']>;
  /** Null where nobody proves anything, and before the client has. */
  userOf(client: Client): string | null;
}

/** Return codes of CONNACK (MQTT 3.1.1 §3.2.2.3). */
const REFUSAL = { identifier: 2, unavailable: 3, credentials: 4, notAuthorized: 5 } as const;
type Refusal = (typeof REFUSAL)[keyof typeof REFUSAL];

export function createAuthenticator(parts: AuthenticateParts): Authenticator {
  const { originOf, proof, secret, attempts, counters, log } = parts;
  const users = new WeakMap<Client, string>();
  const checker = createPasswordChecker();

  async function decide(client: Client, name: string | undefined, password: Uint8Array | undefined) {
    const origin = originOf(client);
    if (origin === undefined) return REFUSAL.notAuthorized;
    if (origin.kind === 'own') {
      const isRight = name === AGGREGATOR && password?.length === secret.length && timingSafeEqual(password, secret);
      return isRight ? AGGREGATOR : REFUSAL.credentials;
    }
    const required = proof();
    if (required.kind === 'none') return client.id.startsWith(`${AGGREGATOR}/`) ? REFUSAL.identifier : null;
    if (required.kind === 'certificates') return admitted(client, origin.commonName);
    if (attempts.isBlocked(origin.address)) return REFUSAL.unavailable;
    if (name === undefined || password === undefined) return REFUSAL.credentials;
    const verdict = await checker.check(required.passwords, name, password, () => !client.closed);
    if (verdict === 'busy') return REFUSAL.unavailable;
    if (verdict === 'right') return admitted(client, name);
    await attempts.failed(origin.address);
    return REFUSAL.credentials;
  }

  const refuse = (client: Client, name: string | undefined, code: Refusal) => {
    counters.refusedLogins++;
    const origin = originOf(client);
    const address = origin?.kind === 'board' ? origin.address : 'own';
    log.warn({ address, device: client.id, user: name, code }, 'client refused');
    return Object.assign(new Error(REASONS[code]), { returnCode: code });
  };
  return {
    userOf: (client) => users.get(client) ?? null,
    authenticate(client, name, password, done) {
      decide(client, name, password).then(
        (outcome) => {
          if (typeof outcome === 'number') return done(refuse(client, name, outcome), null);
          if (outcome !== null) users.set(client, outcome);
          done(null, true);
        },
        (error: unknown) => {
          log.error({ error: String(error) }, 'a password could not be checked');
          done(refuse(client, name, REFUSAL.unavailable), null);
        },
      );
    },
  };
}

/** The user that may come as this client, or why not. */
function admitted(client: Client, name: string | null): string | Refusal {
  if (name === null || !isName(name) || name === AGGREGATOR) return REFUSAL.notAuthorized;
  const isOwnId = client.id === name || (PEOPLE.includes(name) && client.id.startsWith(`${name}/`));
  return isOwnId ? name : REFUSAL.identifier;
}

const REASONS: Readonly<Record<Refusal, string>> = {
  [REFUSAL.identifier]: "the client id is not the user's name",
  [REFUSAL.unavailable]: 'too many log in at once',
  [REFUSAL.credentials]: 'wrong name or password',
  [REFUSAL.notAuthorized]: 'not a user of this fleet',
};
