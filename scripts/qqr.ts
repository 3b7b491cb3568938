#!/usr/bin/env node
/** The one command: `qqr`. */
import { type Command, CommanderError } from 'commander';
import { describeError, ERROR_CODES, exitStatus } from '../core/base/errors.ts';
import { createProgram } from './program.ts';

/** Runs the command line; the exit status is the table's in core/base/errors.ts. */
export async function main(argv: readonly string[]): Promise<number> {
  const program = createProgram();
  throwInsteadOfExit(program);
  try {
    await program.parseAsync([...argv]);
    return Number(process.exitCode ?? 0); // a command that reports what is wrong, such as the doctor, sets it
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : ERROR_CODES.usage.exit;
    process.stderr.write(`qqr: ${describeError(error)}\n`);
    return exitStatus(error);
  }
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  command.commands.forEach(throwInsteadOfExit);
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error; // the reader has seen enough, as in `qqr --help | head`
});
process.exitCode = await main(process.argv);
