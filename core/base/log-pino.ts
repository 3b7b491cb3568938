/** The Log of programs: pino, one JSON line per event, to standard error, so that standard output stays the command's result. */
import { pino } from 'pino';
import type { Log } from './log.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** @param name the program's, in every line. Writes synchronously: a log must not lose its last lines in a crash. */
export function createPinoLog(name: string, level: LogLevel): Log {
  return pino({ name, level, base: { name } }, pino.destination({ dest: 2, sync: true }));
}
