/**
 * The guest's side of the calls to the test that booted it: what surrounds the board, and what time it is there.
 * A call blocks until it is answered, about a millisecond: between two of them nothing else happens in the program.
 */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { BoardCalls } from '../guest/board-calls.ts';

const PORTS = '/sys/class/virtio-ports';
const PORT_NAME = 'calls';

/** A test may offer more than the board's. */
type Calls = { readonly [name: string]: (...args: never[]) => unknown };

export interface Host<Offered extends Calls = BoardCalls> {
  call<Name extends keyof Offered>(name: Name, ...args: Parameters<Offered[Name]>): Awaited<ReturnType<Offered[Name]>>;
  close(): void;
}

function portPath(): string {
  const port = readdirSync(PORTS).find((name) => {
    const file = join(PORTS, name, 'name'); // the console's port has none
    return existsSync(file) && readFileSync(file, 'utf8').trim() === PORT_NAME;
  });
  if (port === undefined) throw new Error(`no virtio port is called ${PORT_NAME}: is this the guest?`);
  return join('/dev', port);
}

/** One at a time. */
export function openHost<Offered extends Calls = BoardCalls>(): Host<Offered> {
  const file = openSync(portPath(), 'r+');
  const buffer = Buffer.alloc(65_536);
  const readLine = (): string => {
    let text = '';
    while (!text.endsWith('\n')) text += buffer.toString('utf8', 0, readSync(file, buffer));
    return text;
  };
  return {
    call(name, ...args) {
      writeSync(file, `${JSON.stringify({ name, args })}\n`);
      const answer = JSON.parse(readLine());
      if ('error' in answer) throw new Error(`${String(name)}: ${answer.error}`);
      return answer.result;
    },
    close: () => closeSync(file),
  };
}
