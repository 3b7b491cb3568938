/**
 * The house rules that tools can see, and proof that the tools see them: for each row of biome.json's import table a
 * temporary tree with forbidden and allowed imports is linted, and Biome must object to the former and only to them.
 * Every source file must fall under a row, and every row must cover a file: a guard that sees nothing guards nothing.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PLANTED, ROWS } from './fixtures/planted-violations.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BIOME = join(ROOT, 'node_modules/.bin/biome');
const MAX_LINES = 300;
/** Folders of rows that have no file yet; a row leaves this list when its first file arrives. */
const PLANNED: readonly string[] = [];

interface Diagnostic {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
}

/** Biome's complaints about the tree at `cwd`, and how many files it looked at. */
async function lint(cwd: string, ...options: string[]): Promise<{ diagnostics: Diagnostic[]; checked: number }> {
  const args = ['lint', '--reporter=concise', '--max-diagnostics=none', '--colors=off', ...options, '.'];
  const output = await new Promise<string>((resolve) => {
    execFile(BIOME, args, { cwd, maxBuffer: 1 << 26 }, (_error, stdout, stderr) => resolve(`${stdout}\n${stderr}`));
  });
  const diagnostics = [...output.matchAll(/^\S* ?([\w./-]+):(\d+):\d+: lint\/\w+\/(\w+):/gm)].map((match) => ({
    file: String(match[1]),
    line: Number(match[2]),
    rule: String(match[3]),
  }));
  // A file-wide rule has no position.
  for (const match of output.matchAll(/^\S* ?([\w./-]+): lint\/\w+\/(\w+):/gm)) {
    diagnostics.push({ file: String(match[1]), line: 0, rule: String(match[2]) });
  }
  const checked = Number(/Checked (\d+) files?/.exec(output)?.[1] ?? 0);
  assert.ok(checked > 0, `Biome checked no file:\n${output}`);
  return { diagnostics, checked };
}

async function plant(root: string, file: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, file)), { recursive: true });
  await writeFile(join(root, file), text);
}

async function emptyHouse(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'qqr-house-'));
  for (const file of ['biome.json', 'package.json', '.gitignore']) await cp(join(ROOT, file), join(root, file));
  return root;
}

/** The project's files with one of the endings, relative to its root. */
async function sources(folders: readonly string[], endings: RegExp): Promise<string[]> {
  const found: string[] = [];
  for (const folder of folders) {
    for (const entry of await readdir(join(ROOT, folder), { recursive: true })) {
      const file = `${folder}/${entry}`;
      if (endings.test(file) && !file.startsWith('core/wire/gen/')) found.push(file);
    }
  }
  return found;
}

interface Guard {
  readonly message: string;
  readonly includes: readonly string[];
}

async function importTable(): Promise<Guard[]> {
  const config = JSON.parse(await readFile(join(ROOT, 'biome.json'), 'utf8'));
  const guards: Guard[] = [];
  for (const { includes, linter } of config.overrides) {
    const message = linter?.rules?.style?.noRestrictedImports?.options?.patterns?.[0]?.message;
    if (message !== undefined) guards.push({ message, includes });
  }
  return guards;
}

/** Enough of Biome's globs for the table: `**` for any depth, `*` within a name. */
function matches(glob: string, file: string): boolean {
  const pattern = glob.replace(/[.]/g, '\\.').replace(/\*\*|\*/g, (stars) => (stars === '**' ? '.*' : '[^/]*'));
  return new RegExp(`^${pattern}$`).test(file);
}

describe('import table', () => {
  let house: string;
  let found: Diagnostic[];
  before(async () => {
    house = await emptyHouse();
    for (const { file, forbidden, allowed } of ROWS) {
      await plant(house, file, [...forbidden, ...allowed].map((specifier) => `import '${specifier}';\n`).join(''));
    }
    found = (await lint(house, '--only=style/noRestrictedImports')).diagnostics;
  });
  after(() => rm(house, { recursive: true }));

  for (const { file, forbidden } of ROWS) {
    it(`${file} may not import ${forbidden.join(', ')}, and nothing more is forbidden`, () => {
      const lines = found.filter((diagnostic) => diagnostic.file === file).map(({ line }) => line);
      assert.deepEqual(
        lines.sort((a, b) => a - b),
        forbidden.map((_, index) => index + 1),
      );
    });
  }

  it('has a planted violation for each row', async () => {
    for (const { message, includes } of await importTable()) {
      const planted = ROWS.some(({ file }) => includes.some((glob) => matches(glob, file)));
      assert.ok(planted, `no planted violation for "${message}"`);
    }
  });

  it('covers every source file, and each row covers a file', async () => {
    const table = await importTable();
    const files = await sources(['core', 'agent', 'server', 'scripts'], /\.ts$/);
    assert.ok(files.length > 0);
    const uncovered = files.filter(
      (file) => !table.some(({ includes }) => includes.some((glob) => matches(glob, file))),
    );
    assert.deepEqual(uncovered, [], 'files without a row in the import table');
    const planned = (glob: string) => PLANNED.some((folder) => glob.startsWith(`${folder}/`));
    const idle = table
      .flatMap(({ includes }) => includes)
      .filter((glob) => planned(glob) === files.some((file) => matches(glob, file)));
    assert.deepEqual(idle, [], 'globs without a file, or planned ones that have one by now');
  });
});

describe('house rules', () => {
  it('Biome objects to each planted violation', async () => {
    const house = await emptyHouse();
    for (const [file, text] of PLANTED) await plant(house, file, text);
    const { diagnostics } = await lint(house);
    await rm(house, { recursive: true });
    const silent = PLANTED.filter(([file, , rule]) => !diagnostics.some((d) => d.file === file && d.rule === rule));
    assert.deepEqual(
      silent.map(([file, , rule]) => `${file}: ${rule}`),
      [],
    );
  });

  it('the project itself keeps to the import table and has no cycle', async () => {
    const { diagnostics, checked } = await lint(
      ROOT,
      '--only=style/noRestrictedImports',
      '--only=suspicious/noImportCycles',
    );
    assert.deepEqual(diagnostics, []);
    const files = await sources(['core', 'agent', 'server', 'scripts'], /\.(ts|mjs)$/);
    assert.ok(checked >= files.length, `Biome checked ${checked} files, the project has ${files.length}`);
  });

  it(`no source file is longer than ${MAX_LINES} lines`, async () => {
    const files = await sources(['core', 'agent', 'server', 'scripts'], /\.(ts|mjs|js|py|sh|proto|css|html)$/);
    assert.ok(files.length > 0);
    const long: string[] = [];
    for (const file of files) {
      const lines = (await readFile(join(ROOT, file), 'utf8')).trimEnd().split('\n').length;
      if (lines > MAX_LINES) long.push(`${file}: ${lines}`);
    }
    assert.deepEqual(long, []);
  });

  it('no type is imported inline from a file, which the import table would not see', async () => {
    for (const file of await sources(['core', 'agent', 'server'], /\.ts$/)) {
      const inline = /^(?!\s*(\*|\/\/)).*(?<!await )\bimport\(\s*['"]\./m.exec(
        await readFile(join(ROOT, file), 'utf8'),
      );
      assert.equal(inline, null, `${file}: ${inline?.[0]}`);
    }
  });
});
