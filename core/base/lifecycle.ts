/** Anything that runs: its constructor does nothing, `start` does, `stop` undoes it and may be called twice. */
export interface Lifecycle {
  /** Resolves when it is ready for use; work that goes on afterwards ends when `signal` aborts. */
  start(signal: AbortSignal): Promise<void>;
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}
