/** Labels from buttons, the local socket and the fleet's topic, and the LED that shows them. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Gpio } from '../../agent/hw/gpio.ts';
import { createButtons } from '../../agent/labels/buttons.ts';
import { createLabelDesk } from '../../agent/labels/label-desk.ts';
import { askAgent, createLabelSocket, labelSocketPath } from '../../agent/labels/label-socket.ts';
import { listenForLabels } from '../../agent/labels/label-topic.ts';
import { type BoardMood, createStatusLed } from '../../agent/ops/status-led.ts';
import { AppError } from '../../core/base/errors.ts';
import { silentLog } from '../../core/base/log.ts';
import { createMemoryBroker } from '../../core/link/memory.ts';
import type { Transport } from '../../core/link/transport.ts';
import type { LabelChange } from '../../core/stream/event.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';

const MINUTE = 60_000;
const NEVER = new AbortController().signal;

function desk(expireMs = 0, classes: readonly string[] | null = null) {
  const clock = createManualClock();
  const changes: LabelChange[] = [];
  const warned: object[] = [];
  const labels = createLabelDesk({
    expireMs,
    nowUs: () => clock.nowMs() * 1000,
    classes: () => classes,
    clock,
    log: { ...silentLog, warn: (fields) => warned.push(fields) },
  });
  labels.onChange((change) => changes.push(change));
  return { clock, labels, changes, warned, heard: () => changes.map(({ tUs, label }) => [tUs / 1000, label]) };
}

/** Lines in memory: inputs that a test drives, outputs whose levels it reads. */
function pins() {
  const watchers = new Map<number, (level: 0 | 1) => void>();
  const written: (readonly [line: number, level: 0 | 1])[] = [];
  const closed: number[] = [];
  const gpio: Gpio = {
    input: async (line) => ({
      read: async () => 1,
      watch(listener) {
        watchers.set(line, listener);
        return () => watchers.delete(line);
      },
      close: () => void closed.push(line),
    }),
    output: async (line, level) => {
      written.push([line, level]);
      return { write: async (next) => void written.push([line, next]), close: () => void closed.push(line) };
    },
  };
  return { gpio, written, closed, drive: (line: number, level: 0 | 1) => watchers.get(line)?.(level) };
}

describe('the label desk', () => {
  it('tells changes only, with their stream time, and the last word wins', async () => {
    const { clock, labels, heard } = desk();
    labels.set('walking', 'socket');
    await clock.advance(10);
    labels.set('walking', 'button');
    labels.set('sitting', 'mqtt');
    await clock.advance(10);
    labels.set(null, 'button');
    assert.deepEqual(heard(), [
      [0, 'walking'],
      [10, 'sitting'],
      [20, null],
    ]);
  });

  it('ends a forgotten label, and begins the wait anew when the label is said again', async () => {
    const { clock, labels, heard } = desk(30 * MINUTE);
    labels.set('walking', 'button');
    await clock.advance(20 * MINUTE);
    labels.set('walking', 'socket');
    await clock.advance(20 * MINUTE);
    assert.equal(labels.current(), 'walking');
    await clock.advance(11 * MINUTE);
    assert.deepEqual(heard(), [
      [0, 'walking'],
      [50 * MINUTE, null],
    ]);
  });

  it('says so when the fleet cannot learn a label, once its classes are known', () => {
    const fleet = desk(0, ['WALKING', 'SITTING']);
    fleet.labels.set('walking', 'button');
    assert.match(fleet.labels.remark() ?? '', /WALKING, SITTING/);
    assert.equal(fleet.warned.length, 1);
    fleet.labels.set('WALKING', 'button');
    assert.equal(fleet.labels.remark(), null);
    assert.equal(fleet.warned.length, 1);
    const early = desk();
    early.labels.set('walking', 'button');
    assert.equal(early.labels.remark(), null);
    assert.deepEqual(early.warned, []);
  });

  it('does not change after it was stopped', async () => {
    const { clock, labels, changes } = desk(MINUTE);
    labels.set('walking', 'button');
    await labels.stop();
    await clock.advance(5 * MINUTE);
    assert.equal(changes.length, 1);
  });

  for (const bad of ['', ' walking', 'a\nb', 'x'.repeat(65)]) {
    it(`refuses ${JSON.stringify(bad.slice(0, 10))} and keeps what it was`, () => {
      const { labels } = desk();
      labels.set('sitting', 'button');
      assert.throws(
        () => labels.set(bad, 'socket'),
        (error: unknown) => error instanceof AppError && error.code === 'usage',
      );
      assert.equal(labels.current(), 'sitting');
    });
  }
});

describe('buttons', () => {
  async function board() {
    const { clock, labels, heard } = desk();
    const lines = pins();
    const options = {
      buttons: { walking: 5, running: 6 },
      cycleButton: 7,
      cycle: ['lying', 'sitting'],
      debounceMs: 30,
    };
    const buttons = createButtons(lines.gpio, options, labels, clock);
    await buttons.start(NEVER);
    const press = async (line: number) => {
      lines.drive(line, 0);
      await clock.advance(40);
      lines.drive(line, 1);
      await clock.advance(40);
    };
    return { clock, labels, heard, lines, buttons, press };
  }
  const said = (heard: readonly (readonly unknown[])[]) => heard.map(([, label]) => label);

  it('begin their label, change it, and end it when pressed again', async () => {
    const { press, heard } = await board();
    for (const line of [5, 6, 6]) await press(line);
    assert.deepEqual(said(heard()), ['walking', 'running', null]);
  });

  it('count a bouncing press once, and a spike not at all', async () => {
    const { clock, lines, heard } = await board();
    for (const level of [0, 1, 0, 1, 0] as const) {
      lines.drive(5, level);
      await clock.advance(3);
    }
    await clock.advance(100);
    for (const level of [1, 0, 1] as const) {
      lines.drive(5, level);
      await clock.advance(3);
    }
    await clock.advance(100);
    lines.drive(6, 0);
    await clock.advance(10);
    lines.drive(6, 1);
    await clock.advance(100);
    assert.deepEqual(said(heard()), ['walking']);
  });

  it('step through the cycle and out of it', async () => {
    const { press, heard } = await board();
    for (const line of [7, 7, 7, 7, 5, 7]) await press(line);
    assert.deepEqual(said(heard()), ['lying', 'sitting', null, 'lying', 'walking', 'lying']);
  });

  it('give their lines back', async () => {
    const { buttons, lines, press, heard } = await board();
    await buttons.stop();
    await press(5);
    assert.deepEqual(heard(), []);
    assert.deepEqual(lines.closed.sort(), [5, 6, 7]);
  });
});

describe('the label socket', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qqr-label-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('sets, ends and tells the label; refuses nonsense; makes way for the next agent', async () => {
    const { labels, heard } = desk();
    const path = labelSocketPath(folder);
    await writeFile(path, 'left by a killed agent');
    const socket = createLabelSocket(path, labels);
    await socket.start(NEVER);
    assert.equal((await stat(path)).mode & 0o777, 0o660);
    assert.equal(await askAgent(path, 'current'), '');
    assert.equal(await askAgent(path, 'label climbing stairs'), 'climbing stairs');
    assert.equal(await askAgent(path, 'current'), 'climbing stairs');
    await assert.rejects(askAgent(path, 'label  padded '), { code: 'usage' });
    await assert.rejects(askAgent(path, 'dance'), { code: 'usage' });
    assert.equal(await askAgent(path, 'none'), '');
    assert.equal(heard().length, 2);
    await socket.stop();
    await assert.rejects(askAgent(path, 'current'), { code: 'input-missing' });
  });

  it('adds what the fleet does not know to its answer', async () => {
    const { labels } = desk(0, ['WALKING']);
    const path = join(folder, 'remark.sock');
    const socket = createLabelSocket(path, labels);
    await socket.start(NEVER);
    assert.match(await askAgent(path, 'label walking'), /^walking\t.*WALKING/);
    assert.equal(await askAgent(path, 'label WALKING'), 'WALKING');
    await socket.stop();
  });

  it('hangs up on who sends without end', async () => {
    const { labels } = desk();
    const path = join(folder, 'long.sock');
    const socket = createLabelSocket(path, labels);
    await socket.start(NEVER);
    const client = connect(path);
    await new Promise((resolve) =>
      client
        .on('close', resolve)
        .on('error', () => undefined)
        .write('x'.repeat(4096)),
    );
    await socket.stop();
  });
});

describe("the fleet's topic", () => {
  it('sets and ends the label, and takes nothing that is retained or no label', async () => {
    const { labels, heard } = desk();
    const broker = createMemoryBroker();
    const [board, person] = ['board', 'person'].map((clientId) => broker.transport({ clientId, clean: true }));
    await person?.start(NEVER);
    await board?.start(NEVER);
    const say = (text: string, retain = false) =>
      person?.publish('label', new TextEncoder().encode(text), { qos: 1, retain });
    await say('said yesterday', true);
    await listenForLabels(board as Transport, 'label', labels, silentLog);
    for (const text of ['walking', 'x'.repeat(65), '']) await say(text);
    while (heard().length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    await board?.stop();
    await person?.stop();
    assert.deepEqual(
      heard().map(([, label]) => label),
      ['walking', null],
    );
  });
});

describe('the LED', () => {
  const MOODS: readonly (readonly [BoardMood, onMs: number])[] = [
    ['labelled', 4000],
    ['sampling', 200],
    ['failing', 2000],
  ];
  for (const [mood, wantedMs] of MOODS) {
    it(`is lit ${wantedMs} of 4000 ms when the board is ${mood}, and off when it stops`, async () => {
      const clock = createManualClock();
      const lines = pins();
      const led = createStatusLed(lines.gpio, 17, () => mood, clock);
      await led.start(NEVER);
      let litMs = 0;
      for (let ms = 0; ms < 4000; ms += 25) {
        await clock.advance(25);
        if (lines.written.at(-1)?.[1] === 1) litMs += 25;
      }
      assert.ok(Math.abs(litMs - wantedMs) <= 100, `lit ${litMs} ms`);
      await led.stop();
      assert.deepEqual(lines.written.at(-1), [17, 0]);
      assert.deepEqual(lines.closed, [17]);
    });
  }
});
