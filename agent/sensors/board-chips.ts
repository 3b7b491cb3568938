/**
 * From settings to chips on their buses: each bus opened once, each chip made by its driver, its interrupt pin and its calibration beside
 * it. Nothing is sent to a chip yet.
 */
import { AppError } from '../../core/base/errors.ts';
import type { Gpio, GpioInput } from '../hw/gpio.ts';
import type { I2cBus, OpenI2cBus } from '../hw/i2c.ts';
import { createSerialQueue, type SerialQueue } from '../hw/serial-queue.ts';
import type { Calibrations, ChipCalibration } from './calibration-file.ts';
import type { Chip, ChipSettings } from './chip.ts';
import type { Axis } from './mounting.ts';
import { CHIPS, type ChipName } from './registry.ts';

/** One block of `[[sensors]]`. */
export interface SensorSettings extends Omit<ChipSettings, 'address' | 'dataReady'> {
  readonly chip: ChipName;
  readonly bus: number;
  /** Without it the chip's usual one. */
  readonly address?: number | undefined;
  readonly axes: readonly Axis[];
  /** GPIO line of the interrupt pin. */
  readonly dataReadyLine?: number | undefined;
}

/** The same with everything decided that the chip's kind decides. */
export interface ConfiguredChip extends ChipSettings, Pick<SensorSettings, 'chip' | 'bus' | 'axes' | 'dataReadyLine'> {}

export function configuredChips(sensors: readonly SensorSettings[]): readonly ConfiguredChip[] {
  return sensors.map((sensor) => ({
    ...sensor,
    address: sensor.address ?? CHIPS[sensor.chip].address,
    dataReady: sensor.dataReadyLine !== undefined,
  }));
}

export interface BoardChip {
  /** Chip, bus and address, e.g. `mpu6050@1:0x68`: names it in events and in the calibration's file. */
  readonly id: string;
  readonly chip: Chip;
  readonly bus: I2cBus;
  /** One for all chips of a bus: reads whose instant matters do not wait inside another's. */
  readonly inTurn: SerialQueue;
  readonly axes: readonly Axis[];
  readonly calibration?: ChipCalibration;
  readonly dataReady?: GpioInput;
}

export interface BoardChips {
  readonly chips: readonly BoardChip[];
  /** Closes buses and pins. */
  close(): Promise<void>;
}

export interface BoardParts {
  readonly openBus: OpenI2cBus;
  /** Called only when a chip has an interrupt pin. */
  readonly openGpio: () => Promise<Gpio>;
  readonly calibrations: Calibrations;
  /** Stream time, microseconds. */
  readonly nowUs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

/** @throws AppError `bus-missing`, `gpio-failed`, `config-invalid` (a rate that the chip cannot do, two chips at one address) */
export async function openBoardChips(sensors: readonly SensorSettings[], parts: BoardParts): Promise<BoardChips> {
  const buses = new Map<number, { readonly bus: I2cBus; readonly inTurn: SerialQueue }>();
  const pins: GpioInput[] = [];
  const chips: BoardChip[] = [];
  let gpio: Gpio | null = null;
  const close = async () => {
    for (const pin of pins) pin.close();
    for (const { bus } of buses.values()) await bus.close();
  };
  try {
    for (const { chip: name, bus: number, axes, dataReadyLine, ...settings } of configuredChips(sensors)) {
      const on = buses.get(number) ?? { bus: await parts.openBus(number), inTurn: createSerialQueue() };
      buses.set(number, on);
      const id = `${name}@${number}:0x${settings.address.toString(16)}`;
      refuseSharedAddress(chips, id);
      const chip = (await CHIPS[name].load())({ bus: on.bus, settings, nowUs: parts.nowUs, sleep: parts.sleep });
      const calibration = parts.calibrations[id];
      let dataReady: GpioInput | undefined;
      if (dataReadyLine !== undefined) {
        gpio ??= await parts.openGpio();
        dataReady = await gpio.input(dataReadyLine, 'rising');
        pins.push(dataReady);
      }
      chips.push({ id, chip, axes, ...on, ...(calibration && { calibration }), ...(dataReady && { dataReady }) });
    }
    return { chips, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function refuseSharedAddress(chips: readonly BoardChip[], id: string): void {
  const place = id.slice(id.indexOf('@'));
  const other = chips.find((chip) => chip.id.endsWith(place));
  if (other === undefined) return;
  throw new AppError('config-invalid', `${other.id} and ${id} have one address`, {
    where: 'sensors',
    hint: "put one of them on another bus or at the chip's other address",
  });
}
