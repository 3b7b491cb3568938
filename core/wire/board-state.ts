/**
 * What a board says of itself for people and their programs: what it is taken to do, how good its sensors are. JSON, since it is for
 * whoever listens; no part of the exchange, and nothing is learned from it. Decoding never throws.
 */
import type { Decoded } from './frame.ts';
import { refuse } from './frame.ts';
import { MAX_MODALITIES, MAX_TEXT_LENGTH } from './limits.ts';

export interface BoardState {
  /** False in the board's goodbye. */
  readonly online: boolean;
  /** A class of the fleet's model; null while there is no model, no prediction yet, or no sensor to go by. */
  readonly activity: string | null;
  /** Calibrated, in [0, 1]; 0 without an activity. */
  readonly confidence: number;
  /** Of the model that predicted; null while there is none. */
  readonly modelVersion: number | null;
  /** Modality → quality of the newest window in [0, 1]; null where the modality was missing. */
  readonly quality: Readonly<Record<string, number | null>>;
  /** What is failing now, for people: `mpu6050@1:0x68: unplugged`. */
  readonly faults: readonly string[];
}

const MAX_BYTES = 4096;
const MAX_FAULTS = 16;
const MAX_FAULT_LENGTH = 128;

/** At most MAX_BYTES: faults beyond the sixteenth are left out. */
export function encodeBoardState(state: BoardState): Uint8Array {
  const faults = state.faults.slice(0, MAX_FAULTS).map((fault) => fault.slice(0, MAX_FAULT_LENGTH));
  const rounded = (value: number) => Math.round(value * 1000) / 1000;
  const quality = Object.fromEntries(
    Object.entries(state.quality).map(([name, value]) => [name, value === null ? null : rounded(value)]),
  );
  return new TextEncoder().encode(JSON.stringify({ ...state, confidence: rounded(state.confidence), quality, faults }));
}

export function decodeBoardState(payload: Uint8Array): Decoded<BoardState> {
  if (payload.length > MAX_BYTES) return refuse('too-large', `a state of ${payload.length} bytes`);
  let said: unknown;
  try {
    said = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    return refuse('malformed', 'a state that is no JSON');
  }
  return isBoardState(said) ? { ok: true, value: picked(said) } : refuse('malformed', 'a state of another form');
}

/** What belongs to a state, and no more. */
function picked({ online, activity, confidence, modelVersion, quality, faults }: BoardState): BoardState {
  return { online, activity, confidence, modelVersion, quality, faults };
}

function isBoardState(said: unknown): said is BoardState {
  if (!isRecord(said)) return false;
  const { online, activity, confidence, modelVersion, quality, faults } = said;
  return (
    typeof online === 'boolean' &&
    (activity === null || isText(activity, MAX_TEXT_LENGTH)) &&
    isShare(confidence) &&
    (modelVersion === null || (Number.isSafeInteger(modelVersion) && Number(modelVersion) >= 0)) &&
    isRecord(quality) &&
    Object.keys(quality).length <= MAX_MODALITIES &&
    Object.entries(quality).every(
      ([name, value]) => isText(name, MAX_TEXT_LENGTH) && (value === null || isShare(value)),
    ) &&
    Array.isArray(faults) &&
    faults.length <= MAX_FAULTS &&
    faults.every((fault) => isText(fault, MAX_FAULT_LENGTH))
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length <= longest;
}

function isShare(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 1;
}
