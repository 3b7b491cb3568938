/**
 * What is wrong, in words, and in which order: a pure view of boards. A modality is in trouble as the API says (docs/http-api.md: quality
 * below 0.5, or no window had it); one bad round may be an accident, two in a row are not.
 */
import type { BoardLine, ModalityLine } from '../http/board-list.ts';
import { agoText, countText } from './figure-text.ts';

/** `BAD_QUALITY` of the API. */
export const BAD_QUALITY = 0.5;
/** Below this a board gives a reason. */
export const FAIR_QUALITY = 0.8;
/** Rounds that a board may miss before that is told. */
const MISSED_ROUNDS = 3;

export interface Trouble {
  readonly device: string;
  /** 3 = failing, 2 = away or not heard, 1 = look at it when there is time. */
  readonly severity: 1 | 2 | 3;
  /** What is alike can be told together. */
  readonly kind: string;
  /** What is wrong, without the board's name: `gyroscope stuck for 12 rounds`. */
  readonly text: string;
  readonly rounds: number;
}

const MODALITIES: Readonly<Record<string, string>> = {
  acc: 'accelerometer',
  gyr: 'gyroscope',
  mag: 'magnetometer',
};

/** Reasons (docs/quality.md) as a state that a sensor can be in. */
const REASONS: Readonly<Record<string, string>> = {
  completeness: 'losing samples',
  clip: 'clipping',
  flat: 'dead on one axis',
  highFrequency: 'noisy',
  noise: 'noisy',
  jump: 'jumping',
  offset: 'biased',
  ramp: 'drifting',
  held: 'stuck',
  level: 'off level',
  gravity: 'off gravity at rest',
  bias: 'biased at rest',
  tilt: 'at odds with the other sensor',
};

export function modalityText(name: string): string {
  return MODALITIES[name] ?? name;
}

/** How a modality is: null when it is well. */
export function reasonText({ windowsPresent, quality, why }: Pick<ModalityLine, 'windowsPresent' | 'quality' | 'why'>) {
  if (windowsPresent === 0 || quality === null) return 'missing';
  if (quality >= FAIR_QUALITY) return null;
  return why === null ? 'poor' : (REASONS[why] ?? why);
}

/** @param history rounds that `badRounds` can reach back @param lastRound newest round of the fleet */
export function troublesOf(board: BoardLine, history: number, lastRound: number | null, nowMs: number): Trouble[] {
  const { device } = board;
  const found: Trouble[] = [];
  for (const name of board.missing)
    if (!board.modalities.some((one) => one.modality === name && one.badRounds > 0)) {
      found.push({ device, severity: 3, kind: `${name} missing`, text: `${modalityText(name)} missing`, rounds: 0 });
    }
  for (const line of board.modalities) {
    const { badRounds } = line;
    if (badRounds === 0) continue;
    const what = `${modalityText(line.modality)} ${reasonText(line) ?? 'poor'}`;
    const since = badRounds >= history && history > 1 ? `${badRounds} rounds or more` : countText(badRounds, 'round');
    const severity = badRounds > 1 ? 3 : 1;
    found.push({ device, severity, kind: what, text: `${what} for ${since}`, rounds: badRounds });
  }
  if (board.state === 'offline') {
    const heard = board.lastSeenMs === null ? '' : `, last heard ${agoText(board.lastSeenMs, nowMs)}`;
    found.push({ device, severity: 2, kind: 'offline', text: `offline${heard}`, rounds: 0 });
  } else {
    const missed = board.lastRound === null || lastRound === null ? 0 : lastRound - board.lastRound;
    if (board.state === 'online' && missed >= MISSED_ROUNDS) {
      found.push({ device, severity: 2, kind: 'silent', text: `not counted for ${missed} rounds`, rounds: missed });
    }
  }
  const refused = Object.entries(board.refused);
  if (refused.length > 0) {
    const total = refused.reduce((sum, [, count]) => sum + count, 0);
    const reasons = refused.map(([reason]) => reason).join(', ');
    const text = `${countText(total, 'update')} refused: ${reasons}`;
    found.push({ device, severity: 1, kind: `refused: ${reasons}`, text, rounds: 0 });
  }
  return found.sort(byTrouble);
}

/** Worst first, then longest, then by name. */
export function byTrouble(a: Trouble, b: Trouble): number {
  return b.severity - a.severity || b.rounds - a.rounds || (a.device < b.device ? -1 : a.device > b.device ? 1 : 0);
}
