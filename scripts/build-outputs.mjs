/**
 * Which compiled file belongs to which source, and removal of those whose source is gone: `tsc` never deletes, and
 * a test or module that was deleted must not go on running. Standard library only: setup.mjs uses it before install.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const COMPILED = /\.js(\.map)?$/;

/** Paths of all files under `folder`, relative to `root`, sorted; empty when the folder does not exist. */
export function filesUnder(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

/** `core/math/rng.ts` → `dist/core/math/rng.js`; null for a declaration file, which compiles to nothing. */
export function outputOf(source) {
  return source.endsWith('.d.ts') ? null : join('dist', source.replace(/\.ts$/, '.js'));
}

/** Deletes compiled files without a source and returns their paths. */
export function removeStaleOutputs(root) {
  const stale = filesUnder(root, 'dist').filter((output) => {
    if (!COMPILED.test(output)) return false;
    const source = output.slice('dist/'.length).replace(COMPILED, '.ts');
    return !existsSync(join(root, source));
  });
  for (const output of stale) rmSync(join(root, output));
  return stale;
}
