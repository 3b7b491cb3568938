/** Gathers what has changed and tells it once per animation frame, however much comes in between. */

export interface Changes {
  readonly boards: ReadonlySet<string>;
  /** Everything was read anew. */
  readonly isAll: boolean;
  /** Boards came or went. */
  readonly isList: boolean;
  readonly closedRounds: readonly number[];
  readonly states: ReadonlySet<string>;
}

interface Pending {
  boards: Set<string>;
  isAll: boolean;
  isList: boolean;
  closedRounds: number[];
  states: Set<string>;
}

export interface FrameChanges {
  /** What is told next; may be added to. */
  pending(): Pending;
  /** Tells it with the next frame. */
  tell(): void;
  listen(listener: (changes: Changes) => void): () => void;
}

export function createFrameChanges(): FrameChanges {
  const listeners = new Set<(changes: Changes) => void>();
  let pending = nothing();
  let frame = 0;
  return {
    pending: () => pending,
    tell() {
      if (frame !== 0) return;
      frame = requestAnimationFrame(() => {
        frame = 0;
        const told = pending;
        pending = nothing();
        for (const listener of listeners) listener(told);
      });
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function nothing(): Pending {
  return { boards: new Set(), isAll: false, isList: false, closedRounds: [], states: new Set() };
}
