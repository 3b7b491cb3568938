/**
 * The door for `qqr label`: a Unix socket in the board's state folder. One line in, one line out:
 *   `label NAME` · `none` · `current`   →   `ok NAME`, `ok` (no label) or `error WHAT`
 * A tab and a remark may follow NAME, which has no tabs: why the label teaches nothing.
 * Who may write to the folder may label; nothing of it leaves the board.
 */
import { chmod, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { AppError } from '../../core/base/errors.ts';
import type { Lifecycle } from '../../core/base/lifecycle.ts';
import type { LabelDesk } from './label-desk.ts';

/** Longer lines are no labels: the connection ends. */
const LONGEST_LINE = 1024;
const ANSWER_MS = 5000;

export function labelSocketPath(stateDir: string): string {
  return join(stateDir, 'label.sock');
}

/** @throws AppError `storage-failed` from `start` when the socket cannot be made */
export function createLabelSocket(path: string, desk: LabelDesk): Lifecycle {
  const open = new Set<Socket>();
  let server: Server | null = null;
  return {
    async start() {
      await rm(path, { force: true }); // left by a killed agent
      const listening = createServer((socket) => {
        open.add(socket);
        socket.on('close', () => open.delete(socket)).on('error', () => socket.destroy());
        answerLines(socket, (line) => answer(line, desk));
      });
      server = listening;
      await new Promise<void>((resolve, reject) => {
        const onError = (cause: Error) =>
          reject(new AppError('storage-failed', 'the socket for labels cannot be made', { where: path, cause }));
        listening.once('error', onError).listen(path, resolve);
      });
      listening.on('error', () => undefined); // one that could not be accepted: `qqr label` says that nobody answers
      await chmod(path, 0o660);
    },
    async stop() {
      for (const socket of open) socket.destroy();
      const ending = server;
      server = null;
      if (ending !== null) await new Promise<void>((resolve) => ending.close(() => resolve()));
    },
  };
}

function answer(line: string, desk: LabelDesk): string {
  try {
    if (line === 'none') desk.set(null, 'socket');
    else if (line.startsWith('label ')) desk.set(line.slice('label '.length), 'socket');
    else if (line !== 'current') return 'error say: label NAME, none or current';
    const label = desk.current();
    const remark = desk.remark();
    return label === null ? 'ok' : `ok ${label}${remark === null ? '' : `\t${remark}`}`;
  } catch (error) {
    if (error instanceof AppError) return `error ${error.message}`;
    throw error;
  }
}

function answerLines(socket: Socket, reply: (line: string) => string): void {
  let waiting = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    waiting += text;
    const lines = waiting.split('\n');
    waiting = lines.pop() ?? '';
    for (const line of lines) socket.write(`${reply(line)}\n`);
    if (waiting.length > LONGEST_LINE) socket.destroy();
  });
}

/** Whether an agent with chips runs with this state folder. */
export async function isAgentListening(stateDir: string): Promise<boolean> {
  return askAgent(labelSocketPath(stateDir), 'current').then(
    () => true,
    () => false,
  );
}

/**
 * Says `line` to the agent that owns the state folder. Returns its answer without the `ok`.
 * @throws AppError `input-missing` when no agent listens there, `usage` when it refuses, `timeout`
 */
export async function askAgent(path: string, line: string): Promise<string> {
  const answered = await new Promise<string>((resolve, reject) => {
    const socket = connect(path);
    let text = '';
    const failed = (cause: unknown) =>
      reject(
        new AppError('input-missing', 'no agent listens there', {
          where: path,
          hint: 'give the state folder of a running agent with --state, and be of its group',
          cause,
        }),
      );
    socket.setEncoding('utf8').setTimeout(ANSWER_MS, () => {
      socket.destroy();
      reject(new AppError('timeout', 'the agent does not answer', { where: path }));
    });
    socket.on('error', failed).on('close', failed);
    socket.on('connect', () => socket.write(`${line}\n`));
    socket.on('data', (more: string) => {
      text += more;
      if (!text.includes('\n')) return;
      resolve(text.slice(0, text.indexOf('\n')));
      socket.destroy();
    });
  });
  if (answered.startsWith('error ')) throw new AppError('usage', answered.slice('error '.length), { where: path });
  return answered.replace(/^ok ?/, '');
}
