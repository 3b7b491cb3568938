/**
 * Which activity a person says it is. Buttons, the local socket and the fleet's topic all come to this one desk; the last word wins.
 * Invariant: listeners hear of changes only, each with the stream time at which it holds, never earlier than the one before.
 */
import type { Clock } from '../../core/base/clock.ts';
import { AppError } from '../../core/base/errors.ts';
import type { Lifecycle } from '../../core/base/lifecycle.ts';
import type { Log } from '../../core/base/log.ts';
import type { LabelChange } from '../../core/stream/event.ts';

export type LabelSource = 'button' | 'socket' | 'mqtt' | 'expiry';

export interface LabelDeskOptions {
  /** A label ends by itself after so long; 0: never. */
  readonly expireMs: number;
  /** Stream time, microseconds. */
  readonly nowUs: () => number;
  /** What the fleet's model tells apart; null while nobody knows. */
  readonly classes: () => readonly string[] | null;
  readonly clock: Clock;
  readonly log: Log;
}

export interface LabelDesk extends Lifecycle {
  /** From now on the activity is `label`; null: unknown. Saying the same again makes it last anew. @throws AppError `usage` on a bad name */
  set(label: string | null, source: LabelSource): void;
  current(): string | null;
  /** Why the present label teaches the fleet nothing; null when it does, or nobody knows yet. */
  remark(): string | null;
  onChange(listener: (change: LabelChange) => void): void;
}

const LONGEST = 64;

export function createLabelDesk({ expireMs, nowUs, classes, clock, log }: LabelDeskOptions): LabelDesk {
  const listeners: ((change: LabelChange) => void)[] = [];
  let current: string | null = null;
  let expiry = new AbortController();
  let stopped = false;

  function change(label: string | null, source: LabelSource): void {
    if (label === current) return;
    current = label;
    log.info({ label, source }, 'label changed');
    if (remark() !== null) log.warn({ label, classes: classes() }, "the fleet's model does not know this label");
    const event: LabelChange = { kind: 'label', tUs: nowUs(), label };
    for (const listener of listeners) listener(event);
  }

  function remark(): string | null {
    const known = classes();
    if (current === null || known === null || known.includes(current)) return null;
    return `the fleet's model does not know it and learns nothing from it; it knows ${known.join(', ')}`;
  }

  function expireLater(): void {
    expiry.abort();
    expiry = new AbortController();
    if (current === null || expireMs === 0 || stopped) return;
    clock.sleep(expireMs, expiry.signal).then(
      () => change(null, 'expiry'),
      () => undefined, // said anew, or stopped
    );
  }

  return {
    start: async () => undefined,
    async stop() {
      stopped = true;
      expiry.abort();
    },
    set(label, source) {
      change(label === null ? null : checkedLabel(label), source);
      expireLater();
    },
    current: () => current,
    remark,
    onChange: (listener) => void listeners.push(listener),
  };
}

/** 1 to 64 characters that a trace file and a terminal can show. */
export function isLabel(text: string): boolean {
  return text.length > 0 && text.length <= LONGEST && text === text.trim() && !/\p{C}/u.test(text);
}

/** @throws AppError `usage` */
export function checkedLabel(label: string): string {
  if (isLabel(label)) return label;
  throw new AppError('usage', `not a label: ${JSON.stringify(label.slice(0, LONGEST))}`, {
    hint: `1 to ${LONGEST} characters, no control characters, no blank at the ends`,
  });
}
