import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';

const ROOT = process.cwd();
const BUF = join(ROOT, 'node_modules/.bin/buf');

test('the generated code is what the proto file generates', (t) => {
  if (!existsSync(BUF)) return t.skip('buf is not installed');
  const folder = mkdtempSync(join(tmpdir(), 'qqr-proto-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = `${join(ROOT, 'node_modules/.bin')}:${process.env['PATH']}`;
  execFileSync(BUF, ['generate', '--output', folder], { cwd: ROOT, env: { ...process.env, PATH: path } });
  const generated = readFileSync(join(folder, 'core/wire/gen/qqr_pb.ts'), 'utf8');
  assert.equal(readFileSync(join(ROOT, 'core/wire/gen/qqr_pb.ts'), 'utf8'), generated, 'run `npx buf generate`');
});
