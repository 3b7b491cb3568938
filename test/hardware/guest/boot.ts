/**
 * Boots a guest kernel with the devices that this process serves, runs one command in it, and switches it off.
 * The guest sees the host's files read-only under a throw-away layer, so Node.js and the compiled project are there; the folder
 * /mnt/share is the only thing that is written through. Programs in it call functions of the test (`inside/host.ts`).
 * Invariant: when this process ends, however it ends, so do QEMU and the relays; the guest's folder goes with `close`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type ServedDevice, serveDevice, type VirtioDevice } from './virtio-device.ts';

export const PROJECT = fileURLToPath(new URL('../../../../', import.meta.url));
const CACHE =
  process.env['GUEST_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'qqr-edge', 'guest');
const MEMORY_MIB = 1024;

/** What the test offers to the programs in the guest, by name. Arguments and results go as JSON. */
export type HostCalls = Readonly<Record<string, (...args: never[]) => unknown>>;

export interface GuestOptions {
  readonly devices: readonly VirtioDevice[];
  readonly calls: HostCalls;
  /** A program and its arguments. Runs as root in the project's folder. */
  readonly command: readonly string[];
  /** Processors: 2, unless its programs mostly wait for one another; then handing over from one to the next costs more than it brings. */
  readonly cpus?: number;
  /** From QEMU's start to its end. */
  readonly timeoutMs: number;
  /** A real systemd is the first process and runs the command as a service; else there is nothing but the command. */
  readonly systemd?: boolean;
}

export interface GuestRun {
  /** The command's exit status; null: the guest did not get so far. */
  readonly status: number | null;
  /** What the command wrote. */
  readonly output: string;
  /** What the kernel said. */
  readonly kernelLog: string;
  /** The host's folder that was the guest's /mnt/share. */
  readonly share: string;
  /** Removes it. */
  close(): Promise<void>;
}

/** Why no guest can be booted here, or null. */
export function missingGuest(): string | null {
  return existsSync(join(CACHE, 'initrd.gz')) ? null : 'the guest is not prepared: npm run test:hardware does it';
}

/**
 * KVM where the processor's own is loaded, else emulation. That /dev/kvm exists proves nothing: a nested, paravirtual one steps
 * through a stock kernel so slowly that it never ends.
 */
function accelerator(): readonly string[] {
  const hasModule = ['kvm_intel', 'kvm_amd'].some((module) => existsSync(`/sys/module/${module}`));
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    if (hasModule) return ['-accel', 'kvm', '-cpu', 'host'];
  } catch {
    // not there or not ours
  }
  return ['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'max,-la57'];
}

const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

function qemuArguments(folder: string, served: readonly ServedDevice[], options: GuestOptions): string[] {
  const share = join(folder, 'share');
  return [
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...[
      '-machine',
      'q35,memory-backend=memory',
      ...accelerator(),
      '-smp',
      String(options.cpus ?? 2),
      '-m',
      String(MEMORY_MIB),
    ],
    // Shared, so that the relays can map it.
    ...['-object', `memory-backend-memfd,id=memory,size=${MEMORY_MIB}M,share=on`],
    ...['-kernel', join(CACHE, 'vmlinux'), '-initrd', join(CACHE, 'initrd.gz')],
    ...[
      '-append',
      'console=ttyS0 quiet loglevel=4 panic=-1 oops=panic random.trust_cpu=on tsc=reliable mitigations=off nokaslr' +
        (options.systemd ? ' systemd.unit=test.service systemd.show_status=false' : ''),
    ],
    ...['-chardev', `file,id=kernel,path=${join(folder, 'kernel.log')}`, '-serial', 'chardev:kernel'],
    ...['-device', 'virtio-serial-pci', '-chardev', 'stdio,id=console,signal=off'],
    ...['-device', 'virtconsole,chardev=console'],
    ...[
      '-chardev',
      `socket,id=calls,path=${join(folder, 'calls')}`,
      '-device',
      'virtserialport,chardev=calls,name=calls',
    ],
    ...['-fsdev', 'local,id=host,path=/,security_model=none,readonly=on,multidevs=remap'],
    ...['-device', 'virtio-9p-pci,fsdev=host,mount_tag=host'],
    ...['-fsdev', `local,id=share,path=${share},security_model=none`],
    ...['-device', 'virtio-9p-pci,fsdev=share,mount_tag=share'],
    ...served.flatMap(({ socket }, i) => [
      ...['-chardev', `socket,id=device${i},path=${socket}`],
      ...['-device', `vhost-user-${options.devices[i]?.name}-pci,chardev=device${i}`],
    ]),
  ];
}

/** One JSON line a call, one JSON line an answer. */
async function serveCalls(calls: HostCalls, path: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    createInterface({ input: socket }).on('line', async (line) => {
      const { name, args } = JSON.parse(line) as { name: string; args: never[] };
      let answer: { result: unknown } | { error: string };
      try {
        const call = calls[name];
        if (call === undefined) throw new Error(`the test offers no call ${name}`);
        answer = { result: (await call(...args)) ?? null };
      } catch (problem) {
        answer = { error: String(problem) };
      }
      socket.write(`${JSON.stringify(answer)}\n`);
    });
  });
  server.listen(path);
  await once(server, 'listening');
  return server;
}

/** QEMU, which dies with this process. Its standard output is the guest's console. */
function startQemu(args: readonly string[]): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function untilEnd(qemu: ChildProcess, timeoutMs: number): Promise<string> {
  let output = '';
  for (const stream of [qemu.stdout, qemu.stderr]) stream?.on('data', (data: Buffer) => (output += data.toString()));
  const timer = setTimeout(() => {
    output += `\n(no end within ${timeoutMs / 1000} s: switched off)\n`;
    qemu.kill('SIGKILL');
  }, timeoutMs);
  await once(qemu, 'close');
  clearTimeout(timer);
  return output;
}

const textOf = async (path: string): Promise<string> => (existsSync(path) ? readFile(path, 'utf8') : '');

async function fillShare(share: string, command: readonly string[]): Promise<void> {
  await mkdir(share);
  await copyFile(join(PROJECT, 'test/hardware/guest/start'), join(share, 'start'));
  await writeFile(join(share, 'command'), `cd ${quote(PROJECT)} && exec ${command.map(quote).join(' ')}\n`);
}

/** Does not throw for what happens in the guest; `close` the run. */
export async function runGuest(options: GuestOptions): Promise<GuestRun> {
  const { devices, calls, command, timeoutMs } = options;
  const folder = await mkdtemp(join(tmpdir(), 'qqr-guest-'));
  const share = join(folder, 'share');
  const close = () => rm(folder, { recursive: true });
  const served: ServedDevice[] = [];
  let callServer: Server | undefined;
  try {
    await fillShare(share, command);
    callServer = await serveCalls(calls, join(folder, 'calls'));
    for (const device of devices) served.push(await serveDevice(device, folder, served.length));
    const output = await untilEnd(startQemu(qemuArguments(folder, served, options)), timeoutMs);
    const status = await textOf(join(share, 'status'));
    const kernelLog = await textOf(join(folder, 'kernel.log'));
    return { status: status === '' ? null : Number(status), output, kernelLog, share, close };
  } catch (problem) {
    await close();
    throw problem;
  } finally {
    callServer?.close();
    for (const device of served) await device.close();
  }
}
