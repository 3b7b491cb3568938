/** Why a broker cannot be reached, as the error that names the address and says what to do. */
import { AppError } from '../base/errors.ts';

const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Start the broker, or check the port.',
  ENOTFOUND: "Check the spelling of the broker's host name, and the name server.",
  EAI_AGAIN: 'The name server does not answer: check the network.',
  EHOSTUNREACH: 'No route to the broker: check the network.',
  ENETUNREACH: 'No route to the broker: check the network.',
  ETIMEDOUT: 'The broker does not answer: check address, port and firewall.',
  ECONNRESET: 'The broker closed the connection: see its log; a second client with the same id also does this.',
  // CONNACK return codes, MQTT 3.1.1 table 3.1
  1: 'The broker does not speak MQTT 3.1.1.',
  2: 'The broker refuses this client id.',
  3: 'The broker is not ready yet: try again later.',
  4: 'Check user name and password.',
  5: "Allow this user to connect in the broker's access list.",
};

/** AppError 'link-unavailable'; an AppError passes unchanged. */
export function linkError(cause: unknown, url: string): AppError {
  if (cause instanceof AppError) return cause;
  const code = codeOf(cause);
  const reason = cause instanceof Error && cause.message !== '' ? cause.message : (code ?? String(cause));
  const hint = (code === null ? undefined : HINTS[code]) ?? 'Check that the broker runs and can be reached from here.';
  return new AppError('link-unavailable', `no link to the broker: ${reason}`, { where: url, hint, cause });
}

/** Whether the other side just hung up, as far as the error of the socket tells. @param cause null: closed without an error */
export function isHangUp(cause: unknown): boolean {
  return cause === null || ['ECONNRESET', 'EPIPE'].includes(`${codeOf(cause)}`);
}

function codeOf(cause: unknown): string | null {
  if (typeof cause !== 'object' || cause === null || !('code' in cause)) return null;
  return String(cause.code);
}
