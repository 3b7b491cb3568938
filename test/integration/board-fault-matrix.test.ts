import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { recordedMotion } from '../../agent/hw/sim/motion.ts';
import type { MotionSource } from '../../agent/hw/sim/simulated-chip.ts';
import { openDataSet } from '../../core/trace/data-set.ts';
import { dataDirectory } from '../../scripts/data/data-directory.ts';
import { LONG, type MatrixRow, matrixTable, testBoardFaultMatrix } from '../contract/board-fault-matrix.ts';
import { endlessWalk } from '../fixtures/quality-motion.ts';
import { openSimulatedRig } from '../fixtures/simulated-fault-rig.ts';

const SEED = 'board-fault-matrix';
/** Of the watch data set. */
const PERSON = '10';

const directory = dataDirectory();
const isFetched = existsSync(join(directory, 'watch', 'dataset.json'));

for (const names of [
  ['adxl345', 'l3gd20h'],
  ['l3gd20h', 'adxl345'],
] as const) {
  const open = (motion: MotionSource) => openSimulatedRig({ names, motion, rateHz: 50, seed: SEED });
  const report = (motion: string) => (rows: readonly MatrixRow[]) =>
    console.log(`\n${motion}; ${names.join(' + ')}, faults of the first, seed ${SEED}\n\n${matrixTable(rows)}\n`);
  const where = `simulated ${names[0]} fails beside ${names[1]}`;
  testBoardFaultMatrix(`${where}, a made-up walk`, async () => open(endlessWalk), LONG, report('a made-up walk'));
  testBoardFaultMatrix(
    `${where}, a person's recording`,
    async () => open(await recorded(PERSON)),
    { ...LONG, isTwinned: true, skip: isFetched ? false : 'not fetched: qqr data fetch watch' },
    report(`person ${PERSON}; in brackets on a board on which nothing went wrong`),
  );
}

async function recorded(subject: string): Promise<MotionSource> {
  const { recordings } = await openDataSet('watch', directory);
  const [acc, gyr] = recordings.find((recording) => recording.subject === subject)?.modalities ?? [];
  if (acc === undefined || gyr === undefined) throw new Error(`nothing of ${subject}`);
  return recordedMotion({ tUs: acc.tUs, acc: acc.values, gyr: gyr.values }, 'loop');
}
