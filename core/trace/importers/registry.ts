/** The one list of what can be imported. Which one it is, the content says; the first that recognizes a source reads it. */
import { dsadsFiles, readDsads } from '../dsads.ts';
import { haptFiles, readHapt } from '../hapt.ts';
import { edgeImpulse } from './edge-impulse.ts';
import type { Importer } from './importer.ts';
import { motionSense } from './motion-sense.ts';
import { phyphox, refuseWorkbook } from './phyphox.ts';
import { sensorLogger } from './sensor-logger.ts';
import { openSource, type TraceSource } from './source.ts';
import { uciHar } from './uci-har.ts';

const hapt: Importer = {
  name: 'HAPT',
  looksFor: 'RawData/labels.txt, RawData/acc_exp01_user01.txt, activity_labels.txt',
  sign: haptFiles,
  recognizes: async (source) => source.names.some((name) => haptFiles.test(name)),
  read: (source) => readHapt(source.path),
};

const dsads: Importer = {
  name: 'DSADS',
  looksFor: 'a01/p1/s01.txt',
  sign: dsadsFiles,
  recognizes: async (source) => source.names.some((name) => dsadsFiles.test(name)),
  read: (source) => readDsads(source.path),
};

/** Those with a layout of their own before those that are known by a table's columns. */
export const IMPORTERS: readonly Importer[] = [hapt, dsads, uciHar, motionSense, sensorLogger, edgeImpulse, phyphox];

export interface Recognized {
  readonly source: TraceSource;
  /** Null when nothing fits. */
  readonly importer: Importer | null;
}

/** Fails with `input-missing`, with `data-format` for a damaged archive, and for a workbook, which nobody can guess. */
export async function recognize(path: string): Promise<Recognized> {
  const isSign = (name: string) => [hapt, dsads, uciHar, motionSense].some(({ sign }) => sign.test(name));
  const source = await openSource(path, isSign);
  refuseWorkbook(source, source.kind === 'file' ? await source.head(source.names[0] as string) : '');
  for (const importer of IMPORTERS) {
    const mayBe = source.kind === 'file' || source.names.some((name) => importer.sign.test(name));
    if (mayBe && (await importer.recognizes(source))) return { source, importer };
  }
  return { source, importer: null };
}

/** For errors: how a file begins, or how many files there are and the first names. */
export async function foundIn({ kind, names, head }: TraceSource): Promise<string> {
  if (kind === 'file') {
    const [line = ''] = (await head(names[0] as string)).trimStart().split(/\r?\n/, 1);
    const printable = line.slice(0, 60).replaceAll(/[\p{C}\uFFFD]/gu, '·');
    return printable === '' ? 'the file is empty' : `it begins with ${printable}`;
  }
  if (names.length === 0) return 'no files';
  const first = names.slice(0, 4).join(', ');
  return `${names.length} ${names.length === 1 ? 'file' : 'files'} (${first}${names.length > 4 ? ', …' : ''})`;
}

/** For errors: everything that was looked for. */
export const LOOKED_FOR = IMPORTERS.map(({ name, looksFor }) => `${name} (${looksFor})`).join('; ');
