/**
 * The aggregator's answers as the dashboard reads them (docs/http-api.md). Reading may need the token; it is kept for this tab only.
 * Invariant: only this origin is ever asked.
 */
import type { BoardLine } from '../http/board-list.ts';

export interface FleetAnswer {
  readonly fleet: string;
  readonly strategy: string;
  readonly startedMs: number;
  readonly model: { readonly version: number; readonly parameters: number };
  readonly spec: {
    readonly classes: readonly string[];
    readonly modalities: readonly { readonly name: string; readonly unit: string }[];
  };
  readonly round: {
    readonly round: number;
    readonly kind: string;
    readonly openedMs: number | null;
    readonly deadlineMs: number;
    readonly asked: number;
    readonly counted: number;
  } | null;
  readonly lastRound: number | null;
  readonly isPaused: boolean;
  readonly isLinkUp: boolean;
  readonly totals: { readonly rounds: number; readonly payloadBytes: number; readonly fp32Bytes: number };
  readonly hasPredictions: boolean;
  readonly lastEventId: string;
}

export interface DevicesAnswer {
  readonly rounds: readonly number[];
  readonly devices: readonly BoardLine[];
  readonly next: string | null;
}

export interface CountedUpdate {
  readonly round: number;
  readonly device: string;
  readonly bytes: number;
  readonly report: {
    readonly arrivedMs: number | null;
    readonly windows: number;
    readonly backlog: number;
    readonly online: { readonly correct: number; readonly count: number };
    readonly modalities: readonly {
      readonly modality: string;
      readonly windowsPresent: number;
      readonly quality: number | null;
      readonly why: string | null;
    }[];
  } | null;
}

export interface RoundLine {
  readonly round: number;
  readonly kind: string;
  readonly closedMs: number | null;
  readonly durationMs: number;
  readonly boards: number;
  readonly refused: number;
  readonly bytes: { readonly payload: number; readonly fp32: number };
  readonly online: { readonly accuracy: number; readonly loss: number } | null;
  readonly clean: number | null;
}

export interface SeriesAnswer {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly rounds: readonly number[];
  readonly columns: Readonly<Record<string, readonly (number | null)[]>>;
  readonly regretExponent: number | null;
}

/** What the aggregator answered instead: a status, and what its problem says. */
export type ApiProblem = Error & { readonly status: number };

/** The status of an `ApiProblem`; null for any other failure. */
export function statusOf(error: unknown): number | null {
  return error instanceof Error && 'status' in error ? Number(error.status) : null;
}

const TOKEN = 'qqr-token';

export function keepToken(token: string): void {
  sessionStorage.setItem(TOKEN, token);
}

/** Headers that let this tab read. */
export function readingHeaders(): Record<string, string> {
  const token = sessionStorage.getItem(TOKEN);
  return token === null ? {} : { Authorization: `Bearer ${token}` };
}

/** @throws ApiProblem when the answer is no 200 */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await fetch(`/api/v1/${path}`, { headers: readingHeaders(), ...(signal && { signal }) });
  if (response.ok) return (await response.json()) as T;
  const text = await response.text();
  const message = messageOf(text) ?? `the aggregator answered ${response.status}`;
  throw Object.assign(new Error(message), { status: response.status });
}

function messageOf(text: string): string | null {
  try {
    const { detail, title } = JSON.parse(text) as { detail?: string; title?: string };
    return detail ?? title ?? null;
  } catch {
    return null;
  }
}

/** All boards with `history` rounds, page by page. */
export async function getDevices(history: number, signal?: AbortSignal): Promise<DevicesAnswer> {
  const devices: BoardLine[] = [];
  let rounds: readonly number[] = [];
  let after = '';
  for (;;) {
    const page = await getJson<DevicesAnswer>(`devices?history=${history}${after}`, signal);
    devices.push(...page.devices);
    rounds = page.rounds;
    if (page.next === null) return { rounds, devices, next: null };
    after = `&after=${encodeURIComponent(page.next)}`;
  }
}
