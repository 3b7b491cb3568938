/**
 * GPIO lines of the kernel's sysfs, through the package onoff, whose only importer this is; an optional add-on, loaded with the first line.
 * onoff wants the kernel's number: base of the chip + offset of the line. The base differs from kernel to kernel, so it is looked up.
 * What is known of onoff 6.0.3 and done about it here: it waits ten seconds, with the event loop stopped, for a line that the kernel
 * exported under a name or without permission, so lines are exported and waited for here; it swallows errors on lines that it did not
 * export, so direction, edge and polarity are read back; and it drops an edge when the line has changed back before it looks: a pulse
 * of 50 µs never arrives. Chips must latch their interrupt until it is read.
 */
import { constants } from 'node:fs';
import { access, writeFile } from 'node:fs/promises';
import type { Gpio as OnoffLine } from 'onoff';
import { type Clock, systemClock } from '../../core/base/clock.ts';
import { AppError } from '../../core/base/errors.ts';
import type { Gpio } from './gpio.ts';
import { type GpioChip, resolveGpioChip } from './gpio-chip-linux.ts';

/** What is used of the package. */
export interface OnoffModule {
  readonly Gpio: new (
    number: number,
    direction: 'in' | 'high' | 'low',
    edge: 'none' | 'rising' | 'falling' | 'both',
    options: { readonly activeLow: boolean },
  ) => OnoffLine;
}

export interface LinuxGpioOptions {
  /** Label of the chip; without it the Raspberry Pi's header, or the only chip. */
  readonly chip?: string;
  readonly clock?: Clock;
  /** Where the package comes from; tests put a fake here. */
  readonly load?: () => Promise<OnoffModule>;
  /** Root of the kernel's tables: `/sys`. */
  readonly sysfs?: string;
  /** Writes an attribute of sysfs; tests put a kernel's answer here. */
  readonly write?: (path: string, text: string) => Promise<void>;
}

/** udev gives the group its rights some time after a line has been exported; on a busy Pi that takes some hundred milliseconds. */
const PERMISSION_WAIT_MS = 3000;
const PERMISSION_POLL_MS = 20;

type Edges = Parameters<Gpio['input']>[1];

export function linuxGpio(options: LinuxGpioOptions = {}): Gpio {
  const { chip: label, clock = systemClock, load = loadPackage, sysfs = '/sys', write = writeFile } = options;
  const folder = `${sysfs}/class/gpio`;
  const taken = new Set<number>();
  let found: Promise<GpioChip> | null = null;

  const open = async (line: number, direction: 'in' | 'high' | 'low', edges: Edges | 'none') => {
    found ??= resolveGpioChip(label, sysfs);
    const chip = await found;
    const where = `${chip.label}, line ${line}`;
    if (line >= chip.lines) throw noSuchLine(chip, where);
    if (taken.has(line)) throw new AppError('gpio-failed', 'the line is used twice', { where });
    taken.add(line);
    try {
      const module = await load().catch(missingPackage);
      await exportLine({ folder, number: chip.base + line, isInput: direction === 'in', where, clock, write });
      return openLine(module, { number: chip.base + line, direction, edges, where });
    } catch (error) {
      taken.delete(line);
      throw error;
    }
  };
  const closing = (line: number, used: OnoffLine) => {
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      taken.delete(line);
      used.unexport();
    };
  };
  return {
    async input(line, edges) {
      const used = await open(line, 'in', edges);
      return {
        read: () => used.read(),
        watch(listener) {
          const told = (_error: unknown, level: 0 | 1) => listener(level);
          used.watch(told);
          return () => used.unwatch(told);
        },
        close: closing(line, used),
      };
    },
    async output(line, level) {
      const used = await open(line, level === 1 ? 'high' : 'low', 'none');
      return { write: (next) => used.write(next), close: closing(line, used) };
    },
  };
}

interface LineToExport {
  readonly folder: string;
  readonly number: number;
  readonly isInput: boolean;
  readonly where: string;
  readonly clock: Clock;
  readonly write: (path: string, text: string) => Promise<void>;
}

/** Makes the kernel show the line and waits until its files may be used. One that is exported already is taken over: it is the board's. */
async function exportLine({ folder, number, isInput, where, clock, write }: LineToExport): Promise<void> {
  const line = `${folder}/gpio${number}`;
  if (!(await exists(line))) {
    await write(`${folder}/export`, String(number)).catch((cause: unknown) => {
      throw lineError(cause, where);
    });
    if (!(await exists(line))) {
      await write(`${folder}/unexport`, String(number));
      throw new AppError('gpio-failed', 'the kernel shows this line under a name, where onoff does not find it', {
        where,
        hint: 'Take a line without a name: `gpioinfo` lists them.',
      });
    }
  }
  const needed = ['value', 'direction', 'active_low', ...(isInput ? ['edge'] : [])];
  for (const name of needed) {
    for (let waitedMs = 0; ; waitedMs += PERMISSION_POLL_MS) {
      const refused = await access(`${line}/${name}`, constants.R_OK | constants.W_OK).then(
        () => null,
        (cause: unknown) => cause,
      );
      if (refused === null) break;
      if (waitedMs >= PERMISSION_WAIT_MS || errnoOf(refused) !== 'EACCES') throw lineError(refused, where, name);
      await clock.sleep(PERMISSION_POLL_MS);
    }
  }
}

interface LineToOpen {
  readonly number: number;
  readonly direction: 'in' | 'high' | 'low';
  readonly edges: Edges | 'none';
  readonly where: string;
}

function openLine({ Gpio: Line }: OnoffModule, { number, direction, edges, where }: LineToOpen): OnoffLine {
  let line: OnoffLine;
  try {
    line = new Line(number, direction, edges, { activeLow: false });
  } catch (cause) {
    throw lineError(cause, where);
  }
  const isInput = direction === 'in';
  if (line.direction() === (isInput ? 'in' : 'out') && !line.activeLow() && (!isInput || line.edge() === edges))
    return line;
  line.unexport();
  throw new AppError('gpio-failed', 'the line does not take its direction, edge or polarity', {
    where,
    hint: 'Another program holds it; end that program, or take another line.',
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function errnoOf(cause: unknown): string {
  return String((cause as { readonly code?: unknown } | null)?.code ?? '');
}

const LINE_HINTS: Readonly<Record<string, string>> = {
  EACCES: 'Put the user into the group gpio (`sudo usermod -aG gpio USER`) and log in again.',
  EPERM: 'Put the user into the group gpio (`sudo usermod -aG gpio USER`) and log in again.',
  EBUSY: 'A driver of the kernel or another program holds the line: `gpioinfo` says who.',
  EROFS: 'The service sees /sys read-only: its unit needs ReadWritePaths for the GPIO folders.',
};

function lineError(cause: unknown, where: string, file?: string): AppError {
  const errno = errnoOf(cause);
  if (file === 'edge' && errno === 'ENOENT') {
    return new AppError('gpio-failed', 'the line cannot signal changes', { where, hint: 'Take another line.', cause });
  }
  const hint = LINE_HINTS[errno];
  return new AppError('gpio-failed', `the line cannot be used: ${errno === '' ? String(cause) : errno}`, {
    where,
    ...(hint !== undefined && { hint }),
    cause,
  });
}

function noSuchLine({ label, lines }: GpioChip, where: string): AppError {
  return new AppError('gpio-failed', 'there is no such line', {
    where,
    hint: `${label} has the lines 0 to ${lines - 1}.`,
  });
}

function missingPackage(cause: unknown): never {
  throw new AppError('dependency-missing', 'the package onoff cannot be loaded', {
    where: 'onoff',
    hint: 'Run `npm ci` again on Linux with a C++ compiler and make; it is an optional package that npm leaves out when it cannot be built.',
    cause,
  });
}

async function loadPackage(): Promise<OnoffModule> {
  return await import('onoff');
}
