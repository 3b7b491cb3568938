/**
 * What is wired to the board's buses: every address at which a known chip can be is asked for its identification register.
 * Nothing is configured, and no other address is touched; that the ICM-20948's register bank is selected is all that is written.
 */
import { AppError } from '../../core/base/errors.ts';
import type { I2cBus } from '../hw/i2c.ts';
import type { ChipSettings, Identity } from '../sensors/chip.ts';
import { CHIP_NAMES, CHIPS, type ChipName } from '../sensors/registry.ts';

export interface Found {
  readonly address: number;
  /** Null: something answers that no driver knows. */
  readonly chip: ChipName | null;
  /** Of the chip. */
  readonly identity: Identity | null;
}

/** Settings that any chip takes: nothing is configured with them. */
const ANY: Omit<ChipSettings, 'address'> = {
  rateHz: 100,
  accRangeG: 4,
  gyrRangeDps: 500,
  fifo: true,
  dataReady: false,
};

/** Ascending address. @throws AppError `bus-hung` */
export async function probe(bus: I2cBus): Promise<Found[]> {
  const addresses = new Set(CHIP_NAMES.flatMap((chip) => addressesOf(chip)));
  const found: Found[] = [];
  for (const address of [...addresses].sort((a, b) => a - b)) {
    const answer = await askAt(bus, address);
    if (answer !== null) found.push(answer);
  }
  return found;
}

function addressesOf(chip: ChipName): readonly number[] {
  return [CHIPS[chip].address, ...CHIPS[chip].otherAddresses];
}

/** Null when nothing answers. Of several drivers that know the number, the one that has no remark. */
async function askAt(bus: I2cBus, address: number): Promise<Found | null> {
  const known: Found[] = [];
  for (const chip of CHIP_NAMES.filter((name) => addressesOf(name).includes(address))) {
    try {
      known.push({ address, chip, identity: await identify(bus, chip, address) });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.code === 'bus-no-answer') return null;
      if (error.code !== 'chip-unknown') throw error;
    }
  }
  const plain = known.find(({ identity }) => identity?.warning === undefined);
  return plain ?? known[0] ?? { address, chip: null, identity: null };
}

async function identify(bus: I2cBus, chip: ChipName, address: number): Promise<Identity> {
  const create = await CHIPS[chip].load();
  const sleep = () => Promise.resolve();
  return create({ bus, settings: { ...ANY, address }, nowUs: () => 0, sleep }).identify();
}

export interface ProbedBus {
  readonly bus: number;
  /** The kernel's, of the adapter. */
  readonly name: string;
  /** Null: the system does not tell. */
  readonly speedHz: number | null;
  readonly found: readonly Found[];
}

/** For people, and for the settings file: what is no block is a comment there. */
export function probedText({ bus, name, speedHz, found }: ProbedBus): string {
  const speed = speedHz === null ? '' : `, ${speedHz / 1000} kHz`;
  const lines = found.map(({ address, chip, identity }) => {
    const warning = identity?.warning === undefined ? '' : `   (${identity.warning})`;
    return `#   0x${address.toString(16)}  ${chip ?? 'unknown'}   ${identity?.part ?? 'no driver knows what answers'}${warning}`;
  });
  const blocks = found.filter(({ chip }) => chip !== null).map((each) => `\n${sensorBlock(bus, each)}`);
  const listed = lines.length === 0 ? ['#   no known chip answers'] : lines;
  return `# bus ${bus} (${name})${speed}\n${listed.join('\n')}\n${blocks.join('')}`;
}

/** The block for the settings file that configures what was found. */
export function sensorBlock(bus: number, { address, chip }: Found): string {
  return `[[sensors]]\nchip = "${chip}"\nbus = ${bus}\naddress = 0x${address.toString(16)}\n`;
}
