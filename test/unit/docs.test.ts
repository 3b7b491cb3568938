/** The documents keep pace with the program: error codes, commands and options, files, links, environment variables. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { FAULTS } from '../../agent/sensors/fault-watch.ts';
import { CHIP_NAMES } from '../../agent/sensors/registry.ts';
import { ERROR_CODES } from '../../core/base/errors.ts';
import { REJECT_REASONS } from '../../core/wire/update.ts';
import { createProgram } from '../../scripts/program.ts';
import { STRATEGY_NAMES } from '../../server/strategies/registry.ts';
import { BRIEF, MATRIX_CASES } from '../contract/board-fault-matrix.ts';
import { anchorsOf, documents, localLinks, quotedCommands } from '../fixtures/documents.ts';
import { projectFile } from '../fixtures/sample-file.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SOURCE_FOLDERS = ['core', 'agent', 'server', 'scripts', 'test'];
const PAGES = documents();

/** Long options that `--help` of the command shows, its own help included. */
function optionsOf(command: Command): Set<string> {
  return new Set([...command.helpInformation().matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, name]) => `${name}`));
}

/** What is wrong with a command line, word by word; null when the program understands its names. */
function objection(words: readonly string[], qqr: Command): string | null {
  let command = qqr;
  for (const word of words) {
    const sub = command.commands.find((candidate) => candidate.name() === word);
    if (sub !== undefined) command = sub;
    else if (word.startsWith('--') && !optionsOf(command).has(word.replace(/=.*/, ''))) {
      return `'${command.name()}' has no option ${word}`;
    } else if (!word.startsWith('-') && word !== 'COMMAND' && command.commands.length > 0) {
      return `'${command.name()}' has no command ${word}`;
    }
  }
  return null;
}

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}

/** First cells of the table's rows that stand in backticks, with the next cell. */
function tableRows(text: string, columns: RegExp): string[][] {
  return [...text.matchAll(columns)].map((match) => match.slice(1));
}

test('docs/errors.md lists every code with its exit status and meaning, and no other', () => {
  const [codes = '', reasons = ''] = projectFile('docs/errors.md').split('## Reasons for a refused update');
  const documented = tableRows(codes, /^\| `([\w-]+)` \| (\d+) \| ([^|]+) \|/gm);
  const known = Object.entries(ERROR_CODES).map(([code, { exit, means }]) => [code, String(exit), means]);
  assert.deepEqual(documented, known);
  assert.deepEqual(tableRows(reasons, /^\| `([\w-]+)` \|/gm).flat(), [...REJECT_REASONS]);
});

test('docs/faults.md lists every fault with its meaning, and no other, and has a row for everything that the matrix tries', () => {
  const page = projectFile('docs/faults.md');
  assert.deepEqual(tableRows(page, /^\| `([\w-]+)` \| ([^|]+) \|/gm), Object.entries(FAULTS));
  const [simulated = '', ofKernel = ''] = page.split("## Over a real kernel's bus");
  const tables = [
    { text: simulated, cases: MATRIX_CASES },
    { text: ofKernel, cases: BRIEF.cases },
  ];
  for (const { text, cases } of tables)
    for (const { name } of cases) assert.equal(text.split(`\n| ${name} |`).length, 3, `${name}: a row in both tables`);
});

test('every chip has its row in docs/board.md, every strategy in docs/replay.md', () => {
  const chips = tableRows(projectFile('docs/board.md'), /^\| (`\w+`(?:, `\w+`)*) \| [\w-]+.* \| 0x/gm).flat();
  const named = chips.flatMap((cell) => cell.replaceAll('`', '').split(', '));
  assert.deepEqual(named.sort(), [...CHIP_NAMES].sort());
  const [, strategies = ''] = projectFile('docs/replay.md').split('## Strategies');
  const rows = tableRows(strategies.split('\n## ')[0] as string, /^\| `([\w-]+)` \|/gm).flat();
  assert.deepEqual(rows.sort(), [...STRATEGY_NAMES].sort());
});

test('every qqr command and option that a document quotes exists', () => {
  const qqr = createProgram();
  const quoted = PAGES.flatMap((page) => quotedCommands(page).map((words) => ({ page, words })));
  assert.ok(quoted.length > 40, `only ${quoted.length} commands found`);
  for (const { page, words } of quoted) {
    assert.equal(objection(words, qqr), null, `${page.path}: qqr ${words.join(' ')}`);
  }
});

test('a command or option that does not exist is objected to', () => {
  const qqr = createProgram();
  for (const line of [
    'fly',
    'agent walk',
    'replay a.csv --mising 5%',
    'server run --seeds 3',
    'data fetch x --force',
  ]) {
    assert.notEqual(objection(line.split(' '), qqr), null, line);
  }
});

test('every command of the program is told of in a document', () => {
  const qqr = createProgram();
  const quoted = PAGES.flatMap(quotedCommands).map((words) => words.join(' '));
  for (const command of allCommands(qqr).filter(({ commands }) => commands.length === 0)) {
    const path = command.parent === qqr ? command.name() : `${command.parent?.name()} ${command.name()}`;
    assert.ok(
      quoted.some((line) => line === path || line.startsWith(`${path} `)),
      `no document tells of qqr ${path}`,
    );
  }
});

test('options that stand alone in the text belong to some command, or to the installer', () => {
  const installer = [...projectFile('scripts/install-board.sh').matchAll(/^ {4}(--[\w-]+)\)/gm)].map(
    ([, name]) => `${name}`,
  );
  assert.ok(installer.length > 5);
  const all = new Set([...allCommands(createProgram()).flatMap((command) => [...optionsOf(command)]), ...installer]);
  for (const { path, inline } of PAGES.filter((page) => page.path !== 'CONTRIBUTING.md')) {
    for (const code of inline.filter((text) => text.startsWith('--'))) {
      assert.ok(all.has(code.split(/[ =]/)[0] as string), `${path}: ${code}`);
    }
  }
});

test('every file, folder and link that a document names exists', () => {
  let seen = 0;
  for (const page of PAGES) {
    const named = page.inline.filter((code) => /^(?:core|agent|server|scripts|test|docs)\/[\w./-]+$/.test(code));
    for (const path of named.filter((path) => !path.includes('NAME') && !page.makes.includes(path))) {
      seen++;
      assert.ok(existsSync(join(ROOT, path)), `${page.path} names ${path}`);
    }
    for (const link of localLinks(page)) {
      seen++;
      const [target = '', anchor] = link.split('#');
      const path = target === '' ? page.path : join(dirname(page.path), target);
      assert.ok(existsSync(join(ROOT, path)), `${page.path} links to ${link}`);
      if (anchor !== undefined) assert.ok(anchorsOf(projectFile(path)).includes(anchor), `${page.path}: ${link}`);
    }
  }
  assert.ok(seen > 60, `only ${seen} names found`);
});

test('every environment variable that a document names is read somewhere', () => {
  const sources = SOURCE_FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true })
      .map((name) => join(ROOT, folder, String(name)))
      .filter((path) => /\.(?:ts|mjs|sh)$/.test(path) && !path.endsWith('docs.test.ts'))
      .map((path) => readFileSync(path, 'utf8')),
  ).join('\n');
  const named = new Set(PAGES.flatMap(({ text }) => text.match(/\bQQR_[A-Z_]+/g) ?? []));
  assert.ok(named.size >= 3);
  for (const variable of named) assert.ok(variable === 'QQR_' || sources.includes(variable), variable);
});

test('the map in ARCHITECTURE.md has every folder of the sources', () => {
  const map = projectFile('ARCHITECTURE.md').split('### The path of a sample')[0] as string;
  for (const program of ['core', 'agent', 'server']) {
    const sources = readdirSync(join(ROOT, program), { recursive: true }).map(String);
    const folders = new Set(sources.flatMap((path) => /^([\w-]+)\/.*\.ts$/.exec(path)?.[1] ?? []));
    assert.ok(folders.size >= 3);
    for (const name of folders) assert.match(map, new RegExp(`^  ${name}/`, 'm'), `${program}/${name}`);
  }
});

test('every dependency has its line in ARCHITECTURE.md, and no other', () => {
  const { dependencies, optionalDependencies } = JSON.parse(projectFile('package.json'));
  const table = projectFile('ARCHITECTURE.md').split('## 10. Dependencies')[1] ?? '';
  const rows = [...table.matchAll(/^\| (`[^|]+?) (?:\(optional\) )?\|/gm)].flatMap(([, cell]) =>
    [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  );
  assert.deepEqual(rows.sort(), Object.keys({ ...dependencies, ...optionalDependencies }).sort());
});
