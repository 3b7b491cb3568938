/** Archives as data sets come in, whole and damaged. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { archivedFiles, folderFiles } from '../../core/trace/archive.ts';
import { tarOf, zipOf } from '../fixtures/archives.ts';
import { failsWith, fileWith, temporaryFolder } from '../fixtures/trace-folder.ts';

const FILES = { 'set/hello.txt': 'hello', 'set/long.txt': 'again and '.repeat(5000), 'set/other.bin': 'not wanted' };
const WANTED = [
  ['set/hello.txt', 'hello'],
  ['set/long.txt', 'again and '.repeat(5000)],
];
/** A tar archive of set/hello.txt, `hello from xz\n`, as xz packs it. */
const XZ =
  '/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4Cf/AG1dADmZSusjivN12xdkrquuxwceLznsOZV9i2GLfRO4gHxDDRprg9S6nNSGTkTjVJH4gsOPXtpZLhjDDCAw74nBP+24wRNZDfORImVhfmSagNmi+pr6ejQiSlVXBMvXkdhSg97gvJ71t3I+tAtH4AAAAAAAXJrb3W+Pg6kAAYkBgFAAAPYgb0axxGf7AgAAAAAEWVo=';

const isText = (name: string) => name.endsWith('.txt');

async function contentOf(path: string): Promise<string[][]> {
  const files = [];
  for await (const { path: name, bytes } of archivedFiles(path, isText)) files.push([name, bytes.toString()]);
  return files;
}

test('reads the wanted files of .tar, .tar.gz, .tgz and .zip', async (t) => {
  const tar = await tarOf(FILES);
  for (const [name, bytes] of [
    ['s.tar', tar],
    ['s.tar.gz', gzipSync(tar)],
    ['s.tgz', gzipSync(tar)],
    ['s.zip', zipOf(FILES)],
  ] as const) {
    assert.deepEqual(await contentOf(await fileWith(t, bytes, name)), WANTED, name);
  }
});

test('reads .tar.xz', async (t) => {
  const path = await fileWith(t, Buffer.from(XZ, 'base64'), 's.tar.xz');
  assert.deepEqual(await contentOf(path), [['set/hello.txt', 'hello from xz\n']]);
});

test('reads an unpacked folder, sorted', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'set'));
  for (const [name, content] of Object.entries(FILES)) await writeFile(join(folder, name), content);
  const files = [];
  for await (const { path, bytes } of folderFiles(folder, isText)) files.push([path, bytes.toString()]);
  assert.deepEqual(files, WANTED);
});

test('can be left after the first file', async (t) => {
  const path = await fileWith(t, gzipSync(await tarOf(FILES)), 's.tar.gz');
  for await (const { path: name } of archivedFiles(path, isText)) {
    assert.equal(name, 'set/hello.txt');
    break;
  }
});

test('an archive cut off anywhere is an error that names it, never a part of its content', async (t) => {
  const tar = await tarOf(FILES);
  const cases = [
    ['s.tar.gz', gzipSync(tar)],
    ['s.tar', tar.subarray(0, 52_000)],
    ['s.zip', zipOf(FILES)],
    ['s.tar.xz', Buffer.from(XZ, 'base64')],
  ] as const;
  for (const [name, whole] of cases) {
    for (const share of [0.1, 0.5, 0.9]) {
      const path = await fileWith(t, whole.subarray(0, Math.floor(whole.length * share)), name);
      await assert.rejects(contentOf(path), failsWith('data-format', /not a readable/, path), `${name} ${share}`);
    }
  }
});

test('a zip entry that is altered, oversized or packed in an unknown way is refused', async (t) => {
  const zip = zipOf(FILES);
  const altered = (change: (bytes: Buffer, directory: number) => void) => {
    const bytes = Buffer.from(zip);
    change(bytes, bytes.readUInt32LE(bytes.length - 6));
    return fileWith(t, bytes, 's.zip');
  };
  const flipped = await altered((bytes) => bytes.write('j', bytes.indexOf('hello', 40)));
  await assert.rejects(contentOf(flipped), failsWith('data-format', /hello.txt fails its checksum/));
  const huge = await altered((bytes, directory) => bytes.writeUInt32LE(0xfffffff0, directory + 24));
  await assert.rejects(contentOf(huge), failsWith('data-format', /states 4294967280 bytes/));
  const outside = await altered((bytes, directory) => bytes.writeUInt32LE(0x7fffffff, directory + 42));
  await assert.rejects(contentOf(outside), failsWith('data-format', /outside the file/));
  const unknown = await altered((bytes, directory) => bytes.writeUInt16LE(12, directory + 10));
  await assert.rejects(contentOf(unknown), failsWith('data-format', /packed by method 12/));
});
