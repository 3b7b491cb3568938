/** `qqr demo --live`: a fleet whose sensors fail on a script, to be looked at in the dashboard until Ctrl-C. */
import type { DataSet } from '../core/trace/recording.ts';
import { type Scene, startLiveFleet } from './live/live-fleet.ts';
import { REPLAY_DEFAULTS, type ReplayOptions } from './replay/options.ts';

export interface LiveDemoOptions {
  /** Recorded seconds per second, above 0. */
  readonly speed: number;
  /** Of the dashboard, `host:port`. */
  readonly http: string;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** For people, a line each. */
  readonly say: (line: string) => void;
}

/** Boards by number, in the order in which they are listed. */
const SCENES: readonly Scene[] = [
  { atS: 45, untilS: null, board: 2, modality: 'gyr', trouble: 'stuck' },
  { atS: 75, untilS: 120, board: 4, modality: 'acc', trouble: 'gone' },
  { atS: 105, untilS: null, board: 6, modality: 'acc', trouble: 'noisy' },
];

const WORDS = { gone: 'is unplugged', stuck: 'repeats its last reading', noisy: 'becomes noisy' } as const;

/** Resolves when the signal aborts. @throws AppError: the port is taken, or something in the fleet broke */
export async function runLiveDemo(dataSet: DataSet, { speed, http, signal, say }: LiveDemoOptions): Promise<void> {
  const replay: ReplayOptions = {
    ...REPLAY_DEFAULTS,
    title: 'live',
    strategy: 'qqr',
    split: { kind: 'random', testSubjects: 2 },
    order: 'recorded',
  };
  say('Starting the aggregator and the boards …');
  const onRound = () => undefined;
  const fleet = await startLiveFleet(dataSet, { replay, seed: 1, speed, http, scenes: SCENES, onRound });
  try {
    say(`Dashboard: ${fleet.url}    (Ctrl-C ends it)`);
    say(`${fleet.boards.length} boards play their recordings, ${speed} seconds in one. What happens:`);
    await Promise.race([narrate(fleet.boards, signal, say), fleet.failed]);
  } finally {
    await fleet.stop();
  }
}

/** Says each scene in its time; resolves when the signal aborts. */
function narrate(boards: readonly string[], signal: AbortSignal, say: LiveDemoOptions['say']): Promise<void> {
  const timers = SCENES.flatMap(({ atS, untilS, board, modality, trouble }) => {
    const tell = (what: string, inS: number) =>
      setTimeout(() => say(`${clockOf(inS)}  ${boards[board]}: ${modality} ${what}`), inS * 1000);
    return [tell(WORDS[trouble], atS), ...(untilS === null ? [] : [tell('is back', untilS)])];
  });
  return new Promise((resolve) => {
    const end = () => {
      for (const timer of timers) clearTimeout(timer);
      resolve();
    };
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
  });
}

function clockOf(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
