/**
 * What systemd is told (sd_notify(3)): ready, alive, stopping, and a line for `systemctl status`. Node.js has no datagram sockets of
 * the Unix kind, so each message goes through the program `systemd-notify`, which is there wherever systemd is; about one every ten
 * seconds. Without a service manager nothing is started.
 */
import { spawn } from 'node:child_process';
import type { Log } from './log.ts';

export interface ServiceManager {
  /** The watchdog's period, milliseconds; null when none is set. */
  readonly watchdogMs: number | null;
  ready(status: string): Promise<void>;
  /** With the line for `systemctl status`. */
  alive(status: string): Promise<void>;
  stopping(): Promise<void>;
}

/** Runs `systemd-notify` with the arguments; rejects when it fails. */
export type Notify = (args: readonly string[]) => Promise<void>;

/** @param env of the process: `NOTIFY_SOCKET` and `WATCHDOG_USEC`, as systemd sets them */
export function createServiceManager(
  env: Readonly<Record<string, string | undefined>>,
  log: Log,
  notify: Notify = systemdNotify,
): ServiceManager {
  const isManaged = (env['NOTIFY_SOCKET'] ?? '') !== '';
  const watchdogUs = Number(env['WATCHDOG_USEC']);
  const say = async (...args: string[]) => {
    if (!isManaged) return;
    // A message that is lost must not stop a board: if it matters, systemd restarts it.
    await notify(args).catch((error: unknown) => log.warn({ reason: String(error) }, 'systemd was not told'));
  };
  return {
    watchdogMs: isManaged && watchdogUs > 0 ? watchdogUs / 1000 : null,
    ready: (status) => say('--ready', `--status=${status}`),
    alive: (status) => say('WATCHDOG=1', `--status=${status}`),
    stopping: () => say('STOPPING=1'),
  };
}

const LONGEST_MS = 5000;

function systemdNotify(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('systemd-notify', [`--pid=${process.pid}`, ...args], { stdio: 'ignore', timeout: LONGEST_MS });
    child.once('error', reject);
    child.once('exit', (status, signal) => {
      if (status === 0) resolve();
      else reject(new Error(`systemd-notify ended with ${status ?? signal}`));
    });
  });
}
