/** How the buffer is, told once per change: a line a second about a full disk would help to fill it. */
import type { Log } from '../../core/base/log.ts';
import type { Room, StoreBounds } from './retention.ts';

type Condition = 'has-room' | 'drops-for-cap' | 'drops-for-disk' | 'stopped' | 'cap-too-small' | 'disk-full';

const TOLD: Readonly<Record<Condition, [level: 'info' | 'warn', message: string]>> = {
  'has-room': ['info', 'buffer has room again'],
  'drops-for-cap': ['info', 'buffer nearly full: the oldest makes room'],
  'drops-for-disk': ['warn', 'disk nearly full: the oldest makes room'],
  'stopped': ['warn', 'buffer full: nothing new is stored'],
  'cap-too-small': ['warn', 'buffer full of what cannot be dropped: nothing new is stored'],
  'disk-full': ['warn', 'disk full: nothing is stored'],
};

type Fullness = Pick<Room, 'pressure' | 'refused'>;

/** To be told of each ingest. */
export function createAnnouncer(policy: StoreBounds['policy'], log: Log): (room: Fullness) => void {
  let told: Condition = 'has-room';
  return (room) => {
    const condition = conditionOf(room, policy);
    if (condition === told) return;
    told = condition;
    const [level, message] = TOLD[condition];
    log[level]({}, message);
  };
}

function conditionOf({ pressure, refused }: Fullness, policy: StoreBounds['policy']): Condition {
  if (refused === 'disk-full') return 'disk-full';
  if (refused !== null) return refused === 'stop' ? 'stopped' : 'cap-too-small';
  if (pressure === null || policy === 'stop') return 'has-room';
  return pressure === 'cap' ? 'drops-for-cap' : 'drops-for-disk';
}
