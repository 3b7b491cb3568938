/**
 * The board's own chips as the pipeline's sensor, with everything that belongs to a board and not to a recording: stream time that
 * survives restarts, calibration, labels from buttons, socket and topic, the LED.
 */
import type { Clock } from '../core/base/clock.ts';
import type { Lifecycle } from '../core/base/lifecycle.ts';
import type { Log } from '../core/base/log.ts';
import type { Transport } from '../core/link/transport.ts';
import { createRng } from '../core/math/rng.ts';
import { topics } from '../core/wire/topics.ts';
import type { Hardware } from './hardware.ts';
import { type ButtonOptions, createButtons } from './labels/buttons.ts';
import { createLabelDesk } from './labels/label-desk.ts';
import { createLabelSocket, labelSocketPath } from './labels/label-socket.ts';
import { listenForLabels } from './labels/label-topic.ts';
import { type BoardMood, createStatusLed } from './ops/status-led.ts';
import { openBoardChips, type SensorSettings } from './sensors/board-chips.ts';
import { BOARD_CLOCK_STATE, openBoardClock } from './sensors/board-clock.ts';
import { loadCalibrations } from './sensors/calibration-file.ts';
import type { FaultEvent } from './sensors/fault-watch.ts';
import { createImuSensor, type ImuSensor, type ImuStats } from './sensors/imu-sensor.ts';

/** The slice of the settings that is about sensors and their surroundings. */
export interface BoardSettings {
  readonly device: string;
  readonly fleet: string;
  readonly stateDir: string;
  readonly sensors: readonly SensorSettings[];
  readonly gpio: Omit<ButtonOptions, 'cycle'> & { readonly statusLed?: number | undefined };
  readonly labels: { readonly cycle: readonly string[]; readonly expireMinutes: number; readonly mqtt: boolean };
}

export interface LiveSensorParts {
  readonly config: BoardSettings;
  readonly hardware: Hardware;
  /** Bytes kept by an earlier run under `BOARD_CLOCK_STATE`, and the newest stream time that is stored; null at the very first. */
  readonly kept: { readonly clock: Uint8Array | null; readonly lastUs: number | null };
  readonly onFault: (fault: FaultEvent) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface LiveSensor {
  readonly sensor: ImuSensor;
  /** Small state to be stored with the stream, by key. */
  readonly state: Readonly<Record<string, Uint8Array>>;
  /** Grows as sampling goes on, for the watchdog. */
  progress(): number;
  /** For people: what is sampled, and what is failing. */
  status(): string;
  /** What is failing now: `mpu6050@1:0x68: unplugged`. */
  failing(): readonly string[];
  /** By chip id. */
  chips(): ImuStats['chips'];
  /** Opens the doors for labels. @param transport the link, started or not @param classes what the fleet's model tells apart, null: not known yet */
  openDoors(transport: Transport, classes: () => readonly string[] | null, signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

/** Sampling has begun when it resolves. @throws AppError: configuration, bus, pin, chip */
export async function startLiveSensor(parts: LiveSensorParts, signal: AbortSignal): Promise<LiveSensor> {
  const { config, hardware, kept, onFault, clock, log } = parts;
  const boardClock = await openBoardClock(kept.clock, kept.lastUs);
  const { nowUs } = boardClock;
  const undo: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const board = await openBoardChips(config.sensors, {
      openBus: hardware.openBus,
      openGpio: async () => hardware.gpio,
      calibrations: await loadCalibrations(config.stateDir),
      nowUs,
      sleep: (ms) => clock.sleep(ms),
    });
    undo.push(() => board.close());
    const random = createRng(`${config.device}/sampling`).next;
    const sensor = createImuSensor({ chips: board.chips, clock, nowUs, random, onFault, log });
    undo.push(() => sensor.stop());
    await sensor.start(signal);
    const failing = () => Object.values(sensor.stats().chips).flatMap(({ raised }) => raised);
    const openDoors: LiveSensor['openDoors'] = (transport, classes, until) =>
      openLabelDoors(parts, sensor, { nowUs, isFailing: () => failing().length > 0, classes }, transport, undo, until);
    return {
      sensor,
      state: { [BOARD_CLOCK_STATE]: boardClock.state },
      progress: () => sensor.progress(),
      status: () => statusOf(sensor, namesOf(failing())),
      failing: () => namesOf(failing()),
      chips: () => sensor.stats().chips,
      openDoors,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function namesOf(failing: readonly FaultEvent[]): string[] {
  return failing.map(({ fault, chip }) => `${chip}: ${fault}`);
}

function statusOf({ header }: ImuSensor, faults: readonly string[]): string {
  const sampled = header.modalities.map(({ name, sampleRateHz }) => `${name} ${Number(sampleRateHz.toFixed(1))} Hz`);
  return `samples ${sampled.join(', ')}${faults.length === 0 ? '' : `; ${faults.join(', ')}`}`;
}

interface Surroundings {
  readonly nowUs: () => number;
  readonly isFailing: () => boolean;
  readonly classes: () => readonly string[] | null;
}

async function openLabelDoors(
  { config, hardware, clock, log }: LiveSensorParts,
  sensor: ImuSensor,
  { nowUs, isFailing, classes }: Surroundings,
  transport: Transport,
  undo: (() => Promise<void>)[],
  signal: AbortSignal,
): Promise<void> {
  const { gpio, labels, stateDir, fleet, device } = config;
  const desk = createLabelDesk({ expireMs: labels.expireMinutes * 60_000, nowUs, classes, clock, log });
  desk.onChange(({ label, tUs }) => sensor.label(label, tUs));
  const doors: Lifecycle[] = [
    desk,
    createLabelSocket(labelSocketPath(stateDir), desk),
    createButtons(hardware.gpio, { ...gpio, cycle: labels.cycle }, desk, clock),
  ];
  if (gpio.statusLed !== undefined) {
    const mood = (): BoardMood => (isFailing() ? 'failing' : desk.current() === null ? 'sampling' : 'labelled');
    doors.push(createStatusLed(hardware.gpio, gpio.statusLed, mood, clock));
  }
  for (const door of doors) {
    undo.push(() => door.stop());
    await door.start(signal);
  }
  if (labels.mqtt) await listenForLabels(transport, topics(fleet).label(device), desk, log);
}
