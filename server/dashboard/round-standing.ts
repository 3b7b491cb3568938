/** How a board stands with the rounds, in words. Where no round is open nobody is asked: then it says nothing of that. */
import type { BoardLine } from '../http/board-list.ts';
import type { FleetAnswer } from './api.ts';

export function roundStanding(
  { lastRound, hasAnswered, isAsked }: Pick<BoardLine, 'lastRound' | 'hasAnswered' | 'isAsked'>,
  { round, isPaused }: Pick<FleetAnswer, 'round' | 'isPaused'>,
): string {
  const counted = lastRound === null ? 'never counted' : `last counted in round ${lastRound}`;
  if (round === null) return isPaused ? `${counted}; rounds are paused` : counted;
  if (lastRound === null) return counted;
  return `${counted}; ${hasAnswered ? 'has answered' : isAsked ? 'is waited for' : 'is not asked'} in the open one`;
}
