/**
 * The one error class and the one table of error codes.
 * Callers branch on `code`, never on text. The exit status of every command comes from this table
 * (sysexits.h where a value fits), and `docs/errors.md` is checked against it by a test.
 */

/** Stable code → what it means and the exit status of a command that ends with it. */
export const ERROR_CODES = {
  'usage': { exit: 64, means: 'the command line is not understood' },
  'data-format': { exit: 65, means: 'an input file does not have the documented form' },
  'input-missing': { exit: 66, means: 'an input file or folder does not exist or cannot be read' },
  'link-unavailable': { exit: 69, means: 'the broker cannot be reached or refuses the connection' },
  'dependency-missing': { exit: 69, means: 'a program or package that the command needs is not installed' },
  'bus-missing': { exit: 69, means: 'an I2C bus does not exist or may not be opened' },
  'chip-unknown': { exit: 69, means: 'what answers at an I2C address is not the chip that was configured' },
  'gpio-failed': { exit: 69, means: 'a GPIO line does not exist, is taken or may not be used' },
  'backend-wrong': { exit: 70, means: "TensorFlow.js does not run on its native 'tensorflow' backend" },
  'internal': { exit: 70, means: 'a defect of the program itself' },
  'output-failed': { exit: 73, means: 'an output file cannot be created' },
  'storage-failed': { exit: 74, means: 'a database cannot be read or written' },
  'storage-full': { exit: 74, means: 'the disk has no room for a database' },
  'bus-no-answer': { exit: 74, means: 'a chip on the I2C bus does not answer' },
  'bus-hung': { exit: 74, means: 'the I2C bus is stuck: a transaction did not end' },
  'state-in-use': { exit: 75, means: 'another agent runs with this state folder, or reads these sensors' },
  'timeout': { exit: 75, means: 'something did not happen in the time allowed; trying again may help' },
  'shape-mismatch': { exit: 76, means: 'board and aggregator do not agree on modalities, window or classes' },
  'link-untrusted': {
    exit: 77,
    means: 'broker and program do not accept each other in TLS: certificate, CA, name, key',
  },
  'config-invalid': { exit: 78, means: 'a setting is missing, unknown or out of range' },
} as const satisfies Record<string, { exit: number; means: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Where it happened and what to do; both are shown to the person who has to act. */
export interface ErrorDetail {
  /** File with line, topic, table, setting path: whatever names the place. */
  readonly where?: string;
  /** One imperative sentence: what to do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Every error that a person is meant to read. Anything else that is thrown is a defect. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly where: string | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, what: string, detail: ErrorDetail = {}) {
    super(what, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'AppError';
    this.code = code;
    this.where = detail.where;
    this.hint = detail.hint;
  }
}

/** Exit status for anything thrown: the table's for an AppError, 70 for a defect. */
export function exitStatus(error: unknown): number {
  return error instanceof AppError ? ERROR_CODES[error.code].exit : ERROR_CODES.internal.exit;
}

/** `what (where) [code]` and the hint on a line of its own. */
export function describeError(error: unknown): string {
  if (!(error instanceof AppError)) return error instanceof Error ? (error.stack ?? error.message) : String(error);
  const place = error.where === undefined ? '' : ` (${error.where})`;
  const hint = error.hint === undefined ? '' : `\n  → ${error.hint}`;
  return `${error.message}${place} [${error.code}]${hint}`;
}

/** The same for a line of the log, as fields. */
export function errorFields(error: unknown): object {
  if (!(error instanceof AppError)) return { error: String(error) };
  const { message, code, where, hint } = error;
  return { error: message, code, where, hint };
}
