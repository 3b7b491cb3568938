/** What the sub-commands of `qqr data` touch besides the files that their arguments name. */
import { type Log, silentLog } from '../../core/base/log.ts';
import { dataDirectory } from './data-directory.ts';

export interface DataCommandContext {
  readonly write: (text: string) => void;
  readonly log: Log;
  /** Where fetched data sets are kept. */
  readonly directory: string;
}

/** Standard output, and progress to standard error. */
export function terminalContext(): DataCommandContext {
  return {
    write: (text) => void process.stdout.write(text),
    log: { ...silentLog, info: (_, message) => void process.stderr.write(`${message} …\n`) },
    directory: dataDirectory(),
  };
}

/** `facts` as a line of JSON, or `text`. */
export function print(context: DataCommandContext, isJson: true | undefined, facts: unknown, text: string): void {
  context.write(isJson ? `${JSON.stringify(facts)}\n` : text);
}
