/** How a person writes down which sensors fail and when: `qqr replay --missing-per`, `--phase`, `--outage`, `--severity`, `--test-faults`. */
import { AppError } from '../../core/base/errors.ts';
import {
  FAILURE_SCOPES,
  type FailurePattern,
  type FailureScope,
  type Outage,
  type Phase,
} from '../../core/trace/failure-schedule.ts';
import { parseRate, type TestFault } from './options.ts';

export function parseScope(text: string): FailureScope {
  const scope = FAILURE_SCOPES.find((known) => known === text);
  if (scope !== undefined) return scope;
  throw new AppError('usage', `unknown scope of failures: ${text}`, { hint: `known: ${FAILURE_SCOPES.join(', ')}` });
}

/** `0.4-1`, or `0.7` for always the same. */
export function parseSeverity(text: string): [number, number] {
  const [low = '', high = low, ...more] = text.split('-');
  const range: [number, number] = [parseRate(low), parseRate(high)];
  if (range[0] <= range[1] && more.length === 0) return range;
  throw new AppError('usage', `not a range of severity: ${text}`, { hint: 'for example 0.4-1, or 0.7' });
}

/** `UNTIL:key=value,key=value`, with the keys of the options without their dashes; `10:missing=90%,missing-per=round`. */
export function parsePhase(text: string): Phase {
  const [, until, changes = ''] = /^(\d+):(.*)$/.exec(text) ?? [];
  const pairs = changes.split(',').map((pair) => pair.trim().split('=', 2));
  if (Number(until) >= 1 && pairs.every(([key = '', value]) => Object.hasOwn(PHASE_KEYS, key) && value !== undefined)) {
    const parts = pairs.map(([key, value]) => PHASE_KEYS[key as keyof typeof PHASE_KEYS](value as string));
    return { untilRound: Number(until), ...Object.assign({}, ...parts) };
  }
  throw new AppError('usage', `not a phase: ${text}`, {
    hint: `UNTIL:key=value,…, for example 10:missing=90%; keys: ${Object.keys(PHASE_KEYS).join(', ')}`,
  });
}

const modalityOrAny = (text: string): string | null => (text === 'any' ? null : text);

const PHASE_KEYS = {
  'missing': (text: string): Partial<FailurePattern> => ({ missingRate: parseRate(text) }),
  'missing-per': (text: string): Partial<FailurePattern> => ({ missingPer: parseScope(text) }),
  'missing-modality': (text: string): Partial<FailurePattern> => ({ missingModality: modalityOrAny(text) }),
  'degraded': (text: string): Partial<FailurePattern> => ({ degradedRate: parseRate(text) }),
  'degraded-per': (text: string): Partial<FailurePattern> => ({ degradedPer: parseScope(text) }),
  'degraded-modality': (text: string): Partial<FailurePattern> => ({ degradedModality: modalityOrAny(text) }),
} as const;

/** `BOARDS:MODALITY:FROM-UNTIL`, boards by name, `all` or a share such as `50%`; without UNTIL the sensor never returns. */
export function parseOutage(text: string): Outage {
  const [, boards = '', modality = '', from, until = ''] = /^(.+):([^:]+):(\d+)-(\d*)$/.exec(text) ?? [];
  const fromRound = Number(from);
  const untilRound = until === '' ? null : Number(until);
  if (fromRound >= 1 && (untilRound ?? fromRound) >= fromRound) {
    const share = boards === 'all' ? 1 : boards.endsWith('%') ? parseRate(boards) : null;
    return { boards: share ?? boards, modality, fromRound, untilRound };
  }
  throw new AppError('usage', `not an outage: ${text}`, {
    hint: 'BOARDS:MODALITY:FROM-UNTIL, for example anna:gyr:10-20, 50%:acc:5-8 or all:gyr:30-',
  });
}

/** `kinds`, `nothing` and severities, separated by commas; nothing for none. */
export function parseTestFaults(text: string): TestFault[] {
  const names = text.split(',').map((name) => name.trim());
  return names
    .filter((name) => name !== '')
    .map((name) => (name === 'kinds' || name === 'nothing' ? name : parseRate(name)));
}
