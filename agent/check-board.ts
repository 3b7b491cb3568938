/**
 * What is wrong with a board's settings although each alone is right, as far as it shows without the board: rates that a chip does not
 * have, two chips at one address or for one modality, a pin with two uses. Nothing is opened.
 */
import { systemClock } from '../core/base/clock.ts';
import { AppError } from '../core/base/errors.ts';
import { silentLog } from '../core/base/log.ts';
import type { Gpio } from './hw/gpio.ts';
import type { I2cBus } from './hw/i2c.ts';
import type { BoardSettings } from './live-sensor.ts';
import { type BoardChip, openBoardChips } from './sensors/board-chips.ts';
import { createImuSensor } from './sensors/imu-sensor.ts';
import { windowModalities } from './stream/window-modalities.ts';

/** Without a buffer on the chip each sample must be fetched within its interval; timers and the bus are late by milliseconds. */
const FASTEST_UNBUFFERED_HZ = 200;

type CheckedSettings = Pick<BoardSettings, 'sensors' | 'gpio' | 'labels'> & {
  readonly window: { readonly seconds: number };
};

/** @throws AppError `config-invalid` */
export async function checkBoard({ sensors, gpio, labels, window }: CheckedSettings): Promise<void> {
  refuseSharedLines([
    ...sensors.map(({ dataReadyLine }, i) => ({ key: `sensors.${i}.dataReadyLine`, line: dataReadyLine })),
    { key: 'gpio.statusLed', line: gpio.statusLed },
    { key: 'gpio.cycleButton', line: gpio.cycleButton },
    ...Object.entries(gpio.buttons).map(([label, line]) => ({ key: `gpio.buttons.${label}`, line })),
  ]);
  if (gpio.cycleButton !== undefined && labels.cycle.length === 0)
    throw new AppError('config-invalid', 'gpio.cycleButton has nothing to step through', { where: 'labels.cycle' });
  if (sensors.length === 0) return;
  const { chips } = await openBoardChips(sensors, {
    openBus: async () => NO_BUS,
    openGpio: async () => NO_GPIO,
    calibrations: {},
    nowUs: () => 0,
    sleep: async () => undefined,
  });
  chips.forEach(refuseUnbuffered);
  const random = () => 0;
  const { header } = createImuSensor({ chips, clock: systemClock, nowUs: () => 0, random, log: silentLog });
  windowModalities(header, window.seconds);
}

function refuseSharedLines(uses: readonly { readonly key: string; readonly line: number | undefined }[]): void {
  const taken = new Map<number, string>();
  for (const { key, line } of uses) {
    if (line === undefined) continue;
    const other = taken.get(line);
    if (other !== undefined)
      throw new AppError('config-invalid', `${other} and ${key} are both line ${line}`, { where: key });
    taken.set(line, key);
  }
}

function refuseUnbuffered({ id, chip }: BoardChip): void {
  const fastest = Math.max(...chip.modalities.map(({ sampleRateHz }) => sampleRateHz));
  if (chip.fifoSeconds > 0 || fastest <= FASTEST_UNBUFFERED_HZ) return;
  throw new AppError('config-invalid', `${id} cannot be read in time at ${Math.round(fastest)} Hz without a FIFO`, {
    where: 'sensors.rateHz',
    hint: `set at most ${FASTEST_UNBUFFERED_HZ} Hz, or take a chip with a FIFO and leave 'fifo' at true`,
  });
}

const refuse = () => Promise.reject(new AppError('internal', 'hardware was used to check settings'));
const NO_BUS: I2cBus = { read: refuse, write: refuse, recover: refuse, close: async () => undefined };
const NO_GPIO: Gpio = {
  input: async () => ({ read: refuse, watch: () => () => undefined, close: () => undefined }),
  output: refuse,
};
