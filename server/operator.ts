/** What an operator can do to a running aggregator, and why it may not be possible now. Every deed is in the log. */
import type { Log } from '../core/base/log.ts';
import type { Transport } from '../core/link/transport.ts';
import type { Topics } from '../core/wire/topics.ts';
import type { FleetWatch } from './fleet-watch.ts';
import type { Pulse } from './pulse.ts';
import type { Roster } from './roster.ts';
import type { RoundControl } from './round-control.ts';
import type { RoundStore } from './store/round-store.ts';

export interface Operator {
  /** Closes the open round with whoever has answered. */
  closeRound(): 'closing' | 'no-round' | 'nobody-counted';
  /** No round opens until `resume`; one that is open goes on. */
  pause(): void;
  resume(): void;
  isPaused(): boolean;
  /** Takes a board off the lists; it is back as soon as it says something. A board that is online is not forgotten. */
  forget(device: string): 'forgotten' | 'unknown' | 'online';
}

export interface OperatorParts {
  readonly control: RoundControl;
  readonly watch: FleetWatch;
  readonly roster: Roster;
  /** Beats when the roster has changed. */
  readonly pulse: Pulse;
  readonly store: RoundStore;
  readonly transport: Transport;
  readonly topics: Topics;
  readonly log: Log;
}

export function createOperator({
  control,
  watch,
  roster,
  pulse,
  store,
  transport,
  topics,
  log,
}: OperatorParts): Operator {
  const pauseIs = (isPaused: boolean) => {
    if (control.isPaused() === isPaused) return;
    if (isPaused) control.pause();
    else control.resume();
    watch.events.push('rounds-paused', { isPaused });
    log.info({}, isPaused ? 'rounds paused by the operator' : 'rounds resumed by the operator');
  };
  return {
    closeRound() {
      const open = watch.round();
      if (open === null) return 'no-round';
      if (open.arrivals.size === 0) return 'nobody-counted';
      control.closeNow(open.round);
      log.info({ round: open.round, counted: open.arrivals.size }, 'round closed by the operator');
      return 'closing';
    },
    pause: () => pauseIs(true),
    resume: () => pauseIs(false),
    isPaused: control.isPaused,
    forget(device) {
      const board = watch.boards().get(device);
      if (board?.state === 'online') return 'online';
      if (!store.forget(device) && board === undefined) return 'unknown';
      roster.forget(device);
      watch.forgotten(device);
      pulse.beat();
      // An empty retained message removes the status that the broker keeps (MQTT 3.1.1 §3.3.1.3), else the next start hears of it again.
      transport.publish(topics.status(device), new Uint8Array(0), { qos: 1, retain: true }).catch((error) => {
        log.warn({ device, error: String(error) }, 'the status of a forgotten board stays with the broker');
      });
      log.info({ device }, 'board forgotten by the operator');
      return 'forgotten';
    },
  };
}
