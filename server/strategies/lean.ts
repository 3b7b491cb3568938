/**
 * QQR for thin links: the largest 3 % of what the model changed travels at 4 bits a value, prototypes at 4; the rest waits on the
 * board until it has grown (error feedback). About 1 kB a board and round, headers included. Chosen on training subjects among
 * sparse and coarse codes of that size (docs/results.md).
 */
import { qqr } from './qqr.ts';
import type { Strategy } from './strategy.ts';

export const lean: Strategy = {
  ...qqr,
  description: 'qqr in about 1 kB a round: the largest 3 % of the model change, 4-bit prototypes',
  settings: { ...qqr.settings, strategy: 'lean', modelShare: 0.03, modelBits: 4, prototypeBits: 4 },
};
