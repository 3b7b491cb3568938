/**
 * What a board owes when a chip goes wrong, as one table over injected faults: found within a window and named, the other chip's samples
 * go on without a hole, and all of it heals by itself when the cause is gone. Whether the bus is the simulator or a real kernel's is the
 * rig's business.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fault, FaultEvent } from '../../agent/sensors/fault-watch.ts';
import type { ImuSensor } from '../../agent/sensors/imu-sensor.ts';
import type { SampleBlock } from '../../core/stream/event.ts';

/** What is done to the first chip of a rig. */
export type Injection =
  /** Nobody acknowledges; the chip keeps its power. */
  | 'contact lost'
  /** Contact and power lost. */
  | 'unplugged'
  /** It holds the data line low until the bus has been cleared some times. */
  | 'bus hung'
  /** Power off and on. */
  | 'power dip'
  /** The last sample for ever. */
  | 'stuck'
  /** What it feels is far beyond its range. */
  | 'too strong'
  /** Its oscillator is 15 % too fast. */
  | 'oscillator'
  /** Other work keeps the board from reading until the FIFO has overflowed. */
  | 'not read'
  /** A bias that grows from second to second; the sampler cannot see it, only quality can. */
  | 'drift';

/** A board of two chips, on two buses if one bus cannot fail for one of them alone. */
export interface FaultRig {
  readonly sensor: ImuSensor;
  /** Everything that `onFault` has been told, in order. */
  readonly faults: readonly FaultEvent[];
  /** The modality of the chip that things happen to, and that of the other. */
  readonly modality: string;
  readonly other: string;
  /** Stream time, microseconds. */
  nowUs(): number;
  /** Lets time pass. */
  run(ms: number): Promise<void>;
  begin(injection: Injection): Promise<void>;
  end(injection: Injection): Promise<void>;
  close(): Promise<void>;
}

export interface FaultRow {
  readonly injection: Injection;
  /** Every fault that was raised, in order. */
  readonly named: readonly Fault[];
  /** From the beginning of the cause to the expected fault, milliseconds. */
  readonly foundMs: number;
  /** From the end of the cause to the expected fault being over, milliseconds: samples come again, or values are sound again. */
  readonly healedMs: number;
  /** Longest pause of the other modality meanwhile, in its periods. */
  readonly otherPausePeriods: number;
}

interface Case {
  readonly injection: Injection;
  readonly expected: Fault;
  readonly holdMs: number;
  /** The fault shows only when the chip can be read again: it is counted from there. */
  readonly showsAtEnd?: boolean;
}

/** D of the reference model, milliseconds. */
const WINDOW_MS = 2560;
/** Back-off up to 5 s, and a chip's set-up. */
const HEALED_WITHIN_MS = 6000;

const CASES: readonly Case[] = [
  { injection: 'contact lost', expected: 'no-answer', holdMs: 250 },
  { injection: 'unplugged', expected: 'unplugged', holdMs: 8000 },
  { injection: 'bus hung', expected: 'bus-hung', holdMs: 4000 },
  { injection: 'power dip', expected: 'reset', holdMs: 0 },
  { injection: 'stuck', expected: 'stuck', holdMs: 4000 },
  { injection: 'too strong', expected: 'saturated', holdMs: 4000 },
  { injection: 'oscillator', expected: 'wrong-rate', holdMs: 5000 },
  { injection: 'not read', expected: 'overflow', holdMs: 900, showsAtEnd: true },
];

/** @param hasFifo whether the chip that things happen to has one @param report is given the table after the last row */
export function testBoardFaults(
  where: string,
  hasFifo: boolean,
  open: () => Promise<FaultRig>,
  report: (rows: readonly FaultRow[]) => void,
): void {
  const rows: FaultRow[] = [];
  for (const one of CASES.filter(({ expected }) => hasFifo || expected !== 'overflow')) {
    test(`${one.injection}, on ${where}: ${one.expected} within a window, the other chip goes on, healed by itself`, async () => {
      const rig = await open();
      try {
        rows.push(await injected(rig, one));
      } finally {
        await rig.close();
      }
    });
  }
  test(`the table of faults on ${where}`, () => report(rows));
}

async function injected(rig: FaultRig, { injection, expected, holdMs, showsAtEnd = false }: Case): Promise<FaultRow> {
  const stopping = new AbortController();
  const blocks: SampleBlock[] = [];
  const taking = (async () => {
    for await (const event of rig.sensor.events(0, stopping.signal)) if (event.kind === 'samples') blocks.push(event);
  })();
  const started = rig.sensor.start(stopping.signal);
  await rig.run(5000);
  await started;
  assert.equal(rig.faults.length, 0, `nothing is found on a healthy board: ${JSON.stringify(rig.faults)}`);

  const beganUs = rig.nowUs();
  await rig.begin(injection);
  await rig.run(holdMs);
  const endedUs = rig.nowUs();
  await rig.end(injection);
  await rig.run(HEALED_WITHIN_MS + WINDOW_MS);

  const raised = rig.faults.filter(({ phase }) => phase === 'raised');
  const found = raised.find(({ fault }) => fault === expected);
  assert.ok(found !== undefined, `${expected} among ${raised.map(({ fault }) => fault).join(', ') || 'none'}`);
  assert.ok(found.modalities.includes(rig.modality) && found.detail !== '');
  assert.ok(
    raised.every(({ modalities }) => !modalities.includes(rig.other)),
    'the other chip has no fault',
  );
  const foundMs = (found.tUs - (showsAtEnd ? endedUs : beganUs)) / 1000;
  assert.ok(foundMs <= WINDOW_MS, `found after ${foundMs} ms`);
  assert.equal(rig.faults.length, 2 * raised.length, 'each fault is raised once and cleared once');

  const ofModality = timesOf(rig, blocks, rig.modality);
  const cleared = rig.faults.findLast(({ fault, phase }) => fault === expected && phase === 'cleared');
  assert.ok(cleared !== undefined);
  const healedMs = (cleared.tUs - endedUs) / 1000;
  assert.ok(healedMs <= HEALED_WITHIN_MS, `healed after ${healedMs} ms`);
  assert.ok((ofModality.at(-1) ?? 0) > rig.nowUs() - 500_000, 'samples come again');
  assert.deepEqual(rig.sensor.stats().overrun, 0);

  const others = timesOf(rig, blocks, rig.other);
  const otherPausePeriods = longestPausePeriods(others, rateOf(rig, rig.other));
  assert.ok(
    (others.at(-1) ?? 0) > rig.nowUs() - 500_000 && otherPausePeriods < 1.5,
    `pause of ${otherPausePeriods} periods`,
  );
  stopping.abort();
  const stopped = rig.sensor.stop();
  await rig.run(100);
  await Promise.all([taking, stopped]);
  return { injection, named: [...new Set(raised.map(({ fault }) => fault))], foundMs, healedMs, otherPausePeriods };
}

function timesOf(rig: FaultRig, blocks: readonly SampleBlock[], name: string): number[] {
  const index = rig.sensor.header.modalities.findIndex((modality) => modality.name === name);
  const times = blocks.filter(({ modality }) => modality === index).flatMap(({ tUs }) => [...tUs]);
  for (let i = 1; i < times.length; i++) {
    assert.ok((times[i] as number) > (times[i - 1] as number), `${name}: times rise`);
  }
  return times;
}

function rateOf(rig: FaultRig, name: string): number {
  return rig.sensor.header.modalities.find((modality) => modality.name === name)?.sampleRateHz ?? Number.NaN;
}

function longestPausePeriods(times: readonly number[], rateHz: number): number {
  let longestUs = 0;
  for (let i = 1; i < times.length; i++) longestUs = Math.max(longestUs, (times[i] ?? 0) - (times[i - 1] ?? 0));
  return (longestUs * rateHz) / 1e6;
}

/** The table as Markdown. */
export function faultTable(rows: readonly FaultRow[]): string {
  const ms = (value: number) => `${Math.round(value)} ms`;
  return [
    '| what happens | faults | found after | healed after | longest pause of the other chip |',
    '|---|---|---|---|---|',
    ...rows.map(
      (row) =>
        `| ${row.injection} | ${row.named.join(', ')} | ${ms(row.foundMs)} | ${ms(row.healedMs)} | ${row.otherPausePeriods.toFixed(2)} periods |`,
    ),
  ].join('\n');
}
