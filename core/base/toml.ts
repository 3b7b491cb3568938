/** TOML files, with errors that name the place. */
import { readFile } from 'node:fs/promises';
import { parse, TomlError } from 'smol-toml';
import { AppError } from './errors.ts';

/** The file's tables, unchecked. Throws AppError 'input-missing' when it cannot be read, 'config-invalid' when it is not TOML. */
export async function readToml(path: string): Promise<Record<string, unknown>> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AppError('input-missing', 'the configuration cannot be read', { where: path, cause });
  });
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const where = `${path}:${cause.line}:${cause.column}`;
    throw new AppError('config-invalid', 'the configuration is not valid TOML', { where, hint: cause.message, cause });
  }
}
