/**
 * Waits until the open round may close: how far it is follows from who was asked, who has answered, and who has ended meanwhile. Where
 * a deadline passes without any update, whoever has come since is asked as well; where it closes the round, the roster is told who let it pass.
 */
import type { Clock } from '../core/base/clock.ts';
import type { Log } from '../core/base/log.ts';
import { MAX_BOARDS } from '../core/wire/limits.ts';
import { type CloseCause, quorumOf, waitForClose } from './deadline.ts';
import type { FleetWatch } from './fleet-watch.ts';
import type { Intake } from './intake.ts';
import type { Pulse } from './pulse.ts';
import type { Roster } from './roster.ts';
import type { RoundControl } from './round-control.ts';
import type { RoundSettings } from './round-settings.ts';
import type { OpenRound, RoundStore } from './store/round-store.ts';

export interface CollectParts {
  readonly config: Pick<RoundSettings, 'quorum' | 'deadlineMs'>;
  readonly roster: Roster;
  readonly intake: Intake;
  readonly store: Pick<RoundStore, 'open'>;
  readonly control: RoundControl;
  readonly watch: Pick<FleetWatch, 'opened'>;
  readonly clock: Clock;
  readonly pulse: Pulse;
  readonly log: Log;
}

/** Resolves with why the round may close; rejects with the signal's reason when it aborts, with AppError when the store fails. */
export async function collect(round: OpenRound, parts: CollectParts, signal: AbortSignal): Promise<CloseCause> {
  const { config, roster, intake, store, control, watch, clock, pulse, log } = parts;
  let { asked } = round;
  const progress = () => {
    const counted = intake.count();
    const least = asked.length - roster.endedCount();
    if (counted < quorumOf(least, config.quorum)) return { counted, answered: counted, expected: least }; // too few, whoever they are
    return {
      counted,
      answered: asked.filter(intake.has).length,
      expected: asked.filter((device) => intake.has(device) || !roster.hasEnded(device)).length,
    };
  };
  const onVain = () => {
    log.warn({ round: round.round, asked: asked.length }, 'deadline passed without an update, waiting on');
    asked = [...new Set([...asked, ...roster.available()])].sort();
    store.open({ ...round, asked });
    watch.opened({ ...round, asked }, []);
  };
  const isClosing = () => control.isClosing(round.round);
  const { quorum, deadlineMs } = config;
  const wait = { clock, quorum, capacity: MAX_BOARDS, deadlineMs, progress, isClosing, pulse, onVain };
  const cause = await waitForClose(wait, signal);
  if (cause === 'deadline') roster.missed(asked.filter((device) => !intake.has(device)));
  return cause;
}
