/**
 * Boards that have done rounds which this database has not opened yet: it was restored from a backup, and they will not go back. Said
 * once in a run, with what to do. Boards of another epoch follow by themselves, unless they have left this one.
 */
import type { Log } from '../core/base/log.ts';
import type { DeviceStatus } from '../core/wire/downlink.ts';
import { type Epoch, isSameEpoch } from '../core/wire/epoch.ts';

export interface BoardsAhead {
  /** A board says where it is, now or when it last did; `next` is the round that is open, or opens next. */
  said(status: Pick<DeviceStatus, 'device' | 'epoch' | 'round'>, isNow: boolean, next: number): void;
}

const HINT =
  'stop the aggregator, run qqr server new-epoch --state DIR, start it: boards then begin anew with this database';

export function createBoardsAhead(epoch: Epoch, log: Log): BoardsAhead {
  let isTold = false;
  return {
    said({ device, epoch: its, round = -1 }, isNow, next) {
      if (!isSameEpoch(its, epoch)) {
        if (isNow)
          log.info({ device, epoch, its }, 'a board is in another epoch: it follows when it hears of this one');
      } else if (!isTold && round > next) {
        isTold = true;
        log.error({ device, round, next, hint: HINT }, 'boards are ahead of this database: was it restored?');
      }
    },
  };
}
