import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { createProgress } from '../../scripts/progress.ts';

/** A stream that says whether it is a terminal, and what was written to it. */
function fakeStream(isTTY: boolean): { stream: NodeJS.WriteStream; written: () => string } {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 100, rows: 30 });
  const chunks: string[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  return { stream: stream as unknown as NodeJS.WriteStream, written: () => chunks.join('') };
}

describe('progress', () => {
  it('writes nothing where there is no terminal', () => {
    const { stream, written } = fakeStream(false);
    const progress = createProgress({ stream });
    progress.start('seed 1', 10);
    progress.advance('seed 1', 10, 'done');
    progress.stop();
    assert.equal(written(), '');
  });

  it('writes nothing when switched off on a terminal', () => {
    const { stream, written } = fakeStream(true);
    const progress = createProgress({ stream, enabled: false });
    progress.start('seed 1', 10);
    progress.stop();
    assert.equal(written(), '');
  });

  it('shows runs side by side with their notes', () => {
    const { stream, written } = fakeStream(true);
    const progress = createProgress({ stream });
    progress.start('seed 1', 33);
    progress.start('seed 2', 33);
    progress.advance('seed 1', 5, 'accuracy 71.0 %');
    progress.advance('seed 1', 2);
    progress.advance('seed 2', 3);
    progress.stop();
    progress.stop();
    assert.match(written(), /seed 1 .* 7\/33 +accuracy 71\.0 %/);
    assert.match(written(), /seed 2 .* 3\/33/);
  });

  it('starts a label over', () => {
    const { stream, written } = fakeStream(true);
    const progress = createProgress({ stream });
    progress.start('run', 10);
    progress.advance('run', 9);
    progress.start('run', 4);
    progress.advance('run', 1);
    progress.stop();
    assert.match(written(), / 1\/4/);
    assert.doesNotMatch(written(), / 10\/4/);
  });

  it('ignores a label that was not started', () => {
    const { stream } = fakeStream(true);
    const progress = createProgress({ stream });
    progress.advance('nobody', 1);
    progress.stop();
  });
});
