/** In the guest: the board's fault matrix over the kernel's own buses. See `board-faults.test.ts`. */
import { after } from 'node:test';
import { linuxI2c, listI2cBuses } from '../../../agent/hw/i2c-linux.ts';
import { openBoardChips, type SensorSettings } from '../../../agent/sensors/board-chips.ts';
import type { FaultEvent } from '../../../agent/sensors/fault-watch.ts';
import { createImuSensor } from '../../../agent/sensors/imu-sensor.ts';
import type { ChipName } from '../../../agent/sensors/registry.ts';
import { silentLog } from '../../../core/base/log.ts';
import { createRng } from '../../../core/math/rng.ts';
import { BRIEF, matrixTable, testBoardFaultMatrix } from '../../contract/board-fault-matrix.ts';
import type { FaultRig } from '../../contract/board-faults.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import type { FaultCalls } from '../board-faults.test.ts';
import { countingI2c } from './counting-i2c.ts';
import { openHost } from './host.ts';
import { FAILING_PAIRS } from './wiring.ts';

const PAIRS = Number(process.argv[2]);
const RATE_HZ = 50;
const SEED = 'guest-board-faults/sampler';

const host = openHost<FaultCalls>();
after(() => host.close());

async function openRig(pair: number): Promise<FaultRig> {
  const names = FAILING_PAIRS[pair] as readonly ChipName[];
  const bus = (await listI2cBuses()).at(pair - PAIRS); // the board's own bus comes first
  if (bus === undefined) throw new Error('the guest has too few I2C buses');
  const counting = countingI2c(() => host.call('held', pair));
  const clock = createManualClock({
    onMove: (nowMs) => host.call('moveTo', pair, 1000 * nowMs),
    settled: counting.settled,
  });
  const nowUs = () => 1000 * clock.nowMs();
  const sensors = names.map(
    (chip): SensorSettings => ({
      chip,
      bus: bus.number,
      rateHz: RATE_HZ,
      accRangeG: 4,
      gyrRangeDps: 500,
      fifo: true,
      axes: ['x', 'y', 'z'],
    }),
  );
  const board = await openBoardChips(sensors, {
    openBus: linuxI2c({ clock, load: counting.load }),
    openGpio: () => Promise.reject(new Error('no pins')),
    calibrations: {},
    nowUs,
    sleep: (ms) => clock.sleep(ms),
  });
  const faults: FaultEvent[] = [];
  const { next: random } = createRng(`${SEED}/${pair}`);
  const onFault = (event: FaultEvent) => faults.push(event);
  const sensor = createImuSensor({ chips: board.chips, clock, nowUs, random, onFault, log: silentLog });
  const [first, other] = sensor.header.modalities;
  return {
    sensor,
    faults,
    modality: first?.name ?? '',
    other: other?.name ?? '',
    nowUs,
    run: (ms) => clock.advance(ms),
    begin: async (injection) => host.call('inject', pair, injection, true, first?.unit ?? ''),
    end: async (injection) => host.call('inject', pair, injection, false, first?.unit ?? ''),
    close: () => board.close(),
  };
}

for (const [pair, names] of FAILING_PAIRS.slice(0, PAIRS).entries()) {
  testBoardFaultMatrix(
    `a real kernel's bus, ${names[0]} fails beside ${names[1]}`,
    () => openRig(pair),
    { ...BRIEF, isOneBus: true },
    (rows) => console.log(`\n${names.join(' + ')} on one bus, faults of the first\n\n${matrixTable(rows)}\n`),
  );
}
