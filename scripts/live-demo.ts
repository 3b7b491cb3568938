/** `qqr demo --live`: a fleet whose sensors fail on a script, to be looked at in the dashboard until Ctrl-C. */
import type { DataSet } from '../core/trace/recording.ts';
import { type Scene, startLiveFleet } from './live/live-fleet.ts';
import { REPLAY_DEFAULTS, type ReplayOptions } from './replay/options.ts';

export interface LiveDemoOptions {
  /** Recorded seconds per second, above 0. */
  readonly speed: number;
  /** Of the dashboard, `host:port`. Whoever reaches it may read: the recordings are published, and nothing can be changed. */
  readonly http: string;
  /** Seconds until the first sensor fails, above 0; the others follow at the same pace. */
  readonly failAfterS: number;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** For people, a line each. */
  readonly say: (line: string) => void;
}

/** Seconds until the first sensor fails when nobody says otherwise: the fleet has learned something by then. */
export const USUAL_FAIL_AFTER_S = 45;

/** Boards by number, in the order in which they are listed. */
export function liveScenes(failAfterS: number): readonly Scene[] {
  const at = (usualS: number) => Math.round((usualS * failAfterS) / USUAL_FAIL_AFTER_S);
  return [
    { atS: at(45), untilS: null, board: 2, modality: 'gyr', trouble: 'stuck' },
    { atS: at(75), untilS: at(120), board: 4, modality: 'acc', trouble: 'gone' },
    { atS: at(105), untilS: null, board: 6, modality: 'acc', trouble: 'noisy' },
  ];
}

const WORDS = { gone: 'is unplugged', stuck: 'repeats its last reading', noisy: 'becomes noisy' } as const;

/** Resolves when the signal aborts. @throws AppError: the port is taken, or something in the fleet broke */
export async function runLiveDemo(dataSet: DataSet, options: LiveDemoOptions): Promise<void> {
  const { speed, say } = options;
  const scenes = liveScenes(options.failAfterS);
  const http = { listen: options.http, publicReading: true };
  const replay: ReplayOptions = {
    ...REPLAY_DEFAULTS,
    title: 'live',
    strategy: 'qqr',
    split: { kind: 'random', testSubjects: 2 },
    order: 'recorded',
  };
  say('Starting the aggregator and the boards …');
  const onRound = () => undefined;
  const fleet = await startLiveFleet(dataSet, { replay, seed: 1, speed, http, scenes, onRound });
  try {
    say(`Dashboard: ${fleet.url}    (Ctrl-C ends it)`);
    say(`${fleet.boards.length} boards play their recordings, ${speed} seconds in one. What happens:`);
    await Promise.race([narrate(scenes, fleet.boards, options), fleet.failed]);
  } finally {
    await fleet.stop();
  }
}

/** Says each scene in its time; resolves when the signal aborts. */
function narrate(scenes: readonly Scene[], boards: readonly string[], { signal, say }: LiveDemoOptions): Promise<void> {
  const timers = scenes.flatMap(({ atS, untilS, board, modality, trouble }) => {
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
