import assert from 'node:assert/strict';
import { mkdtemp, open, readdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type FileCalls, writeFileAtomic } from '../../core/base/atomic-file.ts';
import { AppError } from '../../core/base/errors.ts';

describe('writeFileAtomic', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'atomic-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('creates a file with text or bytes', async () => {
    await writeFileAtomic(join(folder, 'a.txt'), 'späť');
    await writeFileAtomic(join(folder, 'b.bin'), Uint8Array.of(0, 255, 10));
    assert.equal(await readFile(join(folder, 'a.txt'), 'utf8'), 'späť');
    assert.deepEqual(await readFile(join(folder, 'b.bin')), Buffer.of(0, 255, 10));
    assert.deepEqual(await readdir(folder), ['a.txt', 'b.bin']);
  });

  it('leaves one of the contents whole when many write at once', async () => {
    const path = join(folder, 'busy');
    const contents = Array.from({ length: 20 }, (_, i) => String(i).repeat(50_000));
    await Promise.all(contents.map((content) => writeFileAtomic(path, content)));
    assert.ok(contents.includes(await readFile(path, 'utf8')));
    assert.deepEqual(await readdir(folder), ['busy']);
  });

  it('reports a folder that is not there', async () => {
    const path = join(folder, 'no', 'file');
    await assert.rejects(writeFileAtomic(path, 'x'), (error: unknown) => {
      assert.ok(error instanceof AppError);
      assert.equal(error.code, 'output-failed');
      assert.equal(error.where, path);
      return true;
    });
  });

  it('keeps old or new content and no temporary file, whichever call fails', async () => {
    const path = join(folder, 'state');
    for (let n = 1; ; n++) {
      await writeFile(path, 'old');
      const { files, calls } = failAt(n);
      const failed = await writeFileAtomic(path, 'new', files).then(
        () => false,
        () => true,
      );
      assert.deepEqual(await readdir(folder), ['state'], `call ${n}: ${calls.at(-1)}`);
      const content = await readFile(path, 'utf8');
      const isCommitted = calls.includes('rename') && calls.at(n - 1) !== 'rename';
      assert.equal(content, isCommitted ? 'new' : 'old', `call ${n}: ${calls.at(n - 1)}`);
      if (!failed) {
        assert.deepEqual(calls, ['open', 'writeFile', 'sync', 'close', 'rename', 'open', 'sync', 'close']);
        break;
      }
    }
  });
});

/** The real file system, whose n-th call fails; clean-up calls are not counted. */
function failAt(n: number): { files: FileCalls; calls: string[] } {
  const calls: string[] = [];
  const count = (name: string) => {
    calls.push(name);
    if (calls.length === n) throw new Error(`injected failure of ${name}`);
  };
  const counted: typeof open = async (...parameters) => {
    count('open');
    const file = await open(...parameters);
    return new Proxy(file, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== 'function') return member;
        return async (...values: unknown[]) => {
          const result: unknown = key === 'close' ? await member.apply(target, values) : undefined;
          count(String(key));
          return key === 'close' ? result : member.apply(target, values);
        };
      },
    });
  };
  const files = {
    open: counted,
    unlink,
    rename: async (from: string, to: string) => {
      count('rename');
      await rename(from, to);
    },
  };
  return { files: files as FileCalls, calls };
}
