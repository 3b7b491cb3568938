/**
 * A reporter for node:test in the guest: one JSON line a test, for `tests-in-guest.ts` to tell it again on the host.
 */
import { inspect } from 'node:util';

/** What became of one test. */
export interface TestResult {
  /** Names of the suites around it, then its own. */
  readonly path: readonly string[];
  readonly ms: number;
  /** Why it failed, in full. */
  readonly failure?: string;
  /** Why it was not run. */
  readonly skip?: string;
}

interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly name: string;
    readonly nesting: number;
    readonly skip?: string | boolean;
    readonly details?: { readonly duration_ms: number; readonly type?: string; readonly error?: Error };
  };
}

// biome-ignore lint/style/noDefaultExport: node:test takes a reporter's default export
export default async function* jsonLines(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let around: string[] = [];
  for await (const { type, data } of events) {
    if (type === 'test:start') around = [...around.slice(0, data.nesting), data.name];
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const error = data.details?.error as (Error & { failureType?: string }) | undefined;
    const isSuite = data.details?.type === 'suite';
    if (error?.failureType === 'subtestsFailed' || (isSuite && type === 'test:pass')) continue; // its tests have been reported
    const result: TestResult = {
      path: [...around.slice(0, data.nesting), data.name],
      ms: data.details?.duration_ms ?? 0,
      ...(type === 'test:fail' && { failure: inspect(error?.cause ?? error, { depth: 8, breakLength: 120 }) }),
      ...(data.skip !== undefined && { skip: String(data.skip) }),
    };
    yield `${JSON.stringify(result)}\n`;
  }
}
