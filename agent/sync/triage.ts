/** Which updates may wait for the aggregator, and which must get out of the others' way, and why. */
import type { OutboxEntry } from '../store/agent-store.ts';
import type { OutboxKey } from '../store/outbox.ts';

export type AsideReason = 'too-large' | 'no-receipt' | 'outbox-full';

export interface TriageRules {
  /** Largest update that the aggregator takes, bytes. */
  readonly maxBytes: number;
  /** What may wait together, bytes; the newest update stays whatever its size. */
  readonly outboxBytes: number;
  /** Updates of this round may yet be answered by its closing. */
  readonly currentRound: number;
  /** Receipts of others that the update has seen pass by (`suspects.ts`). */
  readonly strikes: (key: OutboxKey) => number;
}

export interface Triage {
  readonly kept: OutboxEntry[];
  readonly aside: { readonly row: OutboxEntry; readonly reason: AsideReason }[];
}

const MOST_STRIKES = 8;

/** @param entries ascending (round, seq): where there is too much, the oldest go */
export function triage(entries: readonly OutboxEntry[], rules: TriageRules): Triage {
  const result: Triage = { kept: [], aside: [] };
  const sound: OutboxEntry[] = [];
  for (const row of entries) {
    const reason = faultOf(row, rules);
    if (reason === null) sound.push(row);
    else result.aside.push({ row, reason });
  }
  let bytes = sound.reduce((sum, row) => sum + row.bytes, 0);
  for (const [i, row] of sound.entries()) {
    if (bytes <= rules.outboxBytes || i === sound.length - 1) result.kept.push(row);
    else {
      bytes -= row.bytes;
      result.aside.push({ row, reason: 'outbox-full' });
    }
  }
  return result;
}

function faultOf(row: OutboxEntry, { maxBytes, currentRound, strikes }: TriageRules): AsideReason | null {
  if (row.receipt !== null) return null;
  if (row.bytes > maxBytes) return 'too-large';
  return row.round < currentRound && strikes(row) >= MOST_STRIKES ? 'no-receipt' : null;
}
