/** Recordings of phone apps, Sensor Logger and phyphox, byte by byte as they export them, and with what goes wrong in real ones. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openDataSet } from '../../core/trace/data-set.ts';
import type { RecordedModality, Recording } from '../../core/trace/recording.ts';
import { type Files, zipOf } from '../fixtures/archives.ts';
import { failsWith, fileWith } from '../fixtures/trace-folder.ts';
import { unpacked } from '../fixtures/unpacked.ts';

const EPOCH_NS = 1_787_923_304_000_000_000n;

/** A table of Sensor Logger: rows of seconds, x, y, z. */
function loggerTable(rows: readonly (readonly (number | string)[])[]): string {
  const lines = rows.map(([s, x, y, z]) => `${EPOCH_NS + BigInt(Math.round(Number(s) * 1e9))},${s},${z},${y},${x}`);
  return `time,seconds_elapsed,z,y,x\n${lines.join('\n')}\n`;
}

const METADATA_HEAD =
  'version,device name,recording epoch time,recording time,recording timezone,platform,appVersion,device id,sensors,' +
  'sampleRateMs,standardisation,platform version\n';
const metadata = (platform: string, isStandardised: boolean) =>
  `${METADATA_HEAD}3,Phone,1787923304000,2026-08-28_13-21-44,Asia/Kolkata,${platform},1.64,id,Accelerometer|Gyroscope,10|10,${isStandardised},36\n`;

const times = [0, 0.01, 0.02, 0.03, 0.04];
const ANDROID: Files = {
  'TotalAcceleration.csv': loggerTable(times.map((s, i) => [s, 0.2 + i, 0.1, 9.8])),
  'Accelerometer.csv': loggerTable(times.map((s) => [s, 0.5, 0.5, 0.5])),
  'Gravity.csv': loggerTable(times.map((s) => [s, 0, 0, 9.8])),
  'Gyroscope.csv': loggerTable([0.005, 0.025, 0.045].map((s, i) => [s, i, 2, 3])),
  'Magnetometer.csv': loggerTable([0, 0.04].map((s) => [s, -18, 2, -42])),
  'Annotation.csv': `time,seconds_elapsed,text,millisecond_press_duration\n${EPOCH_NS},0.02,"walk, slowly",30\n${EPOCH_NS},0.04,,20\n`,
  'Metadata.csv': metadata('android', false),
  'Location.csv': 'time,seconds_elapsed,latitude\n1,0,20.35\n',
};

async function open(t: TestContext, files: Files): Promise<{ recording: Recording; notes: string[] }> {
  const notes: string[] = [];
  const dataSet = await openDataSet(await unpacked(t, files, 'walk'), '/nowhere', (text) => notes.push(text));
  assert.equal(dataSet.recordings.length, 1);
  return { recording: dataSet.recordings[0] as Recording, notes };
}

function of({ modalities }: Recording, name: string): RecordedModality {
  const found = modalities.find((modality) => modality.name === name);
  assert.ok(found, `${name} among ${modalities.map((modality) => modality.name)}`);
  return found;
}

const rounded = (values: Iterable<number>) => [...values].map((value) => Math.round(value * 1e4) / 1e4);

test('Sensor Logger on Android: total acceleration, axes by their names, rates of their own, labels from annotations', async (t) => {
  const path = await fileWith(t, zipOf(ANDROID), '2026-08-28_13-21-44.zip');
  const dataSet = await openDataSet(path, '/nowhere');
  assert.deepEqual([dataSet.name, dataSet.classes], ['2026-08-28_13-21-44', ['walk, slowly']]);
  const recording = dataSet.recordings[0] as Recording;
  const [acc, gyr, mag] = ['acc', 'gyr', 'mag'].map((name) => of(recording, name));
  assert.deepEqual([acc?.unit, gyr?.unit, mag?.unit], ['mps2', 'radps', 'uT']);
  assert.deepEqual([acc?.sampleRateHz, gyr?.sampleRateHz, mag?.sampleRateHz], [100, 50, 25]);
  assert.deepEqual(rounded(acc?.values.subarray(0, 6) ?? []), [0.2, 0.1, 9.8, 1.2, 0.1, 9.8]);
  assert.deepEqual([...(gyr?.tUs ?? [])], [5000, 25_000, 45_000]);
  assert.deepEqual([...(mag?.values.subarray(0, 3) ?? [])], [-18, 2, -42]);
  assert.deepEqual(recording.labels, [
    { tUs: 20_000, label: 'walk, slowly' },
    { tUs: 40_000, label: null },
  ]);
  const unpackedOne = (await open(t, ANDROID)).recording;
  assert.deepEqual(unpackedOne.modalities, recording.modalities, 'a folder is the same as its zip');
});

test('Sensor Logger on iOS: gravity is added at its times, and signs turn unless the app standardised them', async (t) => {
  const files: Files = {
    'Accelerometer.csv': loggerTable(times.map((s) => [s, 0.5, 0, 1])),
    'Gravity.csv': loggerTable([0, 0.02, 0.04].map((s) => [s, s, 0, -9.8])),
    'Metadata.csv': metadata('ios', false),
  };
  const { recording, notes } = await open(t, files);
  assert.deepEqual(rounded(of(recording, 'acc').values.subarray(0, 6)), [-0.5, -0, 8.8, -0.51, -0, 8.8]);
  assert.match(notes.join('\n'), /change their sign/);
  const standardised = await open(t, { ...files, 'Metadata.csv': metadata('iOS', true) });
  assert.deepEqual(rounded(of(standardised.recording, 'acc').values.subarray(0, 3)), [0.5, 0, -8.8]);
});

test('Sensor Logger uncalibrated: in g with the sign of iOS, in m/s² where standardised', async (t) => {
  const table = loggerTable(times.map((s) => [s, 0, 0.5, -1]));
  const apple = await open(t, { 'AccelerometerUncalibrated.csv': table, 'Metadata.csv': metadata('ios', false) });
  assert.deepEqual(rounded(of(apple.recording, 'acc').values.subarray(0, 3)), [-0, -4.9033, 9.8067]);
  const android = await open(t, { 'AccelerometerUncalibrated.csv': table, 'Metadata.csv': metadata('android', false) });
  assert.deepEqual(rounded(of(android.recording, 'acc').values.subarray(0, 3)), [0, 0.5, -1]);
});

test('acceleration without gravity never passes for what a board measures', async (t) => {
  const { recording, notes } = await open(t, { 'Accelerometer.csv': ANDROID['Accelerometer.csv'] as string });
  assert.deepEqual(
    recording.modalities.map(({ name }) => name),
    ['lin'],
  );
  assert.match(notes.join('\n'), /without gravity/);
  assert.match(notes.join('\n'), /no Metadata.csv/);
});

test('rows that are late, repeated, before the start or incomplete: put into place, dropped and told', async (t) => {
  const rows = [
    [-0.01, 1, 0, 0],
    [0.02, 4, 0, 0],
    [0.0, 2, 0, 0],
    [0.01, 3, 0, 0],
    [0.01, 9, 9, 9],
    [0.03, '', 0, 0],
    [0.04, 6, 0, 0],
  ];
  const { recording, notes } = await open(t, {
    'TotalAcceleration.csv': `\uFEFF${loggerTable(rows).replaceAll('\n', '\r\n')}\r\n`,
    'Metadata.csv': metadata('android', false),
  });
  const acc = of(recording, 'acc');
  assert.deepEqual([...acc.tUs], [0, 10_000, 20_000, 30_000, 50_000]);
  assert.deepEqual(
    [...acc.values].filter((_, i) => i % 3 === 0),
    [1, 2, 3, 4, 6],
  );
  assert.match(notes.join('\n'), /3 rows came out of order.*\n.*1 row repeats a time.*\n.*1 row lacks a number/);
});

test('several recordings in one folder are several recordings', async (t) => {
  const folder = await unpacked(t, {
    'monday/TotalAcceleration.csv': ANDROID['TotalAcceleration.csv'] as string,
    'tuesday/Gyroscope.csv': ANDROID['Gyroscope.csv'] as string,
  });
  const { recordings } = await openDataSet(folder, '/nowhere');
  assert.deepEqual(
    recordings.map(({ subject, modalities }) => [subject, modalities[0]?.name]),
    [
      ['monday', 'acc'],
      ['tuesday', 'gyr'],
    ],
  );
});

const PHYPHOX_ACC =
  '"Time (s)","Acceleration x (m/s^2)","Acceleration y (m/s^2)","Acceleration z (m/s^2)","Absolute acceleration (m/s^2)"\n';
const PHYPHOX_GYR = '"Time (s)","Gyroscope x (rad/s)","Gyroscope y (rad/s)","Gyroscope z (rad/s)","Absolute (rad/s)"\n';
const PHYPHOX: Files = {
  'Accelerometer.csv': `${PHYPHOX_ACC}9.364549000E-3,1.003170490E0,3.543418407E0,7.366958618E0,8.2E0\n1.936454900E-2,1,2,3,4\n2.936454900E-2,NaN,NaN,NaN,NaN\n3.936454900E-2,5,6,7,8\n`,
  'Gyroscope.csv': `${PHYPHOX_GYR}1.0E-2,1,2,3,4\n3.0E-2,4,5,6,7\n5.0E-2,7,8,9,0\n`,
  'meta/device.csv': '"property","value"\n"deviceModel","Pixel 6a"\n',
  'meta/time.csv':
    '"event","experiment time","system time","system time text"\n"START",0.0E0,1.77E9,"2026-02-02"\n"PAUSE",5.9E-2,1.7700000001E9,"2026-02-02"\n',
};

test('phyphox: a table a sensor, exponents, NaN as a gap, one clock for both', async (t) => {
  const { recording, notes } = await open(t, PHYPHOX);
  const [acc, gyr] = [of(recording, 'acc'), of(recording, 'gyr')];
  assert.deepEqual(rounded(acc.values), [1.0032, 3.5434, 7.367, 1, 2, 3, 5, 6, 7]);
  assert.deepEqual([...acc.tUs], [0, 10_000, 30_000]);
  assert.deepEqual([...gyr.tUs], [635, 20_635, 40_635]);
  assert.deepEqual([acc.sampleRateHz, gyr.sampleRateHz, gyr.unit], [50, 50, 'radps']);
  assert.match(notes.join('\n'), /1 row lacks a number/);
  const zipped = await openDataSet(await fileWith(t, zipOf(PHYPHOX), 'export'), '/nowhere');
  assert.deepEqual(zipped.recordings[0]?.modalities, recording.modalities, 'a zip is known by its content');
});

test('phyphox: every separator and decimal point or comma, and the language of the phone, say the same', async (t) => {
  const expected = (await open(t, PHYPHOX)).recording.modalities;
  for (const separator of [';', '\t']) {
    for (const decimal of ['.', ',']) {
      const written = (text: string) =>
        text
          .replaceAll(',', separator)
          .replaceAll(/(\d)\.(\d)/g, `$1${decimal}$2`)
          .replaceAll('Time (s)', 'Zeit (s)');
      const files = Object.entries(PHYPHOX).map(([name, text]) => [name, written(text)]);
      const { recording } = await open(t, Object.fromEntries(files));
      assert.deepEqual(recording.modalities, expected, JSON.stringify([separator, decimal]));
    }
  }
});

test('phyphox: a pause is a gap as long as it was', async (t) => {
  const time =
    '"event","experiment time","system time","system time text"\n"START",0,100,"a"\n"PAUSE",2.5E-2,100.025,"b"\n"START",2.5E-2,107.025,"c"\n';
  const { recording, notes } = await open(t, { ...PHYPHOX, 'meta/time.csv': time });
  assert.deepEqual([...of(recording, 'gyr').tUs], [635, 7_020_635, 7_040_635]);
  assert.match(notes.join('\n'), /paused once/);
});

test('phyphox: a table by itself, with any name; linear acceleration is no acceleration', async (t) => {
  const linear = PHYPHOX_ACC.replaceAll('"Acceleration', '"Linear Acceleration');
  const path = await fileWith(t, `${linear}0,1,2,3,4\n0.01,1,2,3,4\n`, 'Raw Data.txt');
  const { recordings } = await openDataSet(path, '/nowhere');
  assert.deepEqual([recordings[0]?.subject, recordings[0]?.modalities[0]?.name], ['Raw Data', 'lin']);
});

test('a workbook is refused with what to do instead', async (t) => {
  const book = zipOf({ '[Content_Types].xml': '', 'xl/workbook.xml': '<x/>' });
  for (const name of ['Acceleration.xlsx', 'noname'])
    await assert.rejects(openDataSet(await fileWith(t, book, name), '/nowhere'), failsWith('data-format', /Excel/));
  const old = await fileWith(t, Buffer.from('d0cf11e0a1b11ae1', 'hex'), 'Acceleration.xls');
  await assert.rejects(openDataSet(old, '/nowhere'), failsWith('data-format', /Excel/));
});

test('what is no number is an error with file and line; empty tables are an error, too', async (t) => {
  const bad = await unpacked(t, { 'Accelerometer.csv': `${PHYPHOX_ACC}0,1,2,3,4\n0.01,1,abc,3,4\n` });
  await assert.rejects(
    openDataSet(bad, '/nowhere'),
    failsWith('data-format', /'abc' is not a number/, `${bad}/Accelerometer.csv:3`),
  );
  const short = await unpacked(t, { 'Accelerometer.csv': `${PHYPHOX_ACC}0,1,2,3,4\n0.01,1,\n` });
  await assert.rejects(openDataSet(short, '/nowhere'), failsWith('data-format', /3 cells where the header has 5/));
  for (const files of [{ 'Accelerometer.csv': PHYPHOX_ACC }, { 'TotalAcceleration.csv': loggerTable([]) }]) {
    await assert.rejects(
      openDataSet(await unpacked(t, files as Files), '/nowhere'),
      failsWith('data-format', /no samples/),
    );
  }
});

test('anything else names what was looked for and what was found', async (t) => {
  const folder = await unpacked(t, { 'a.txt': 'x', 'b/c.bin': 'y', 'd.json': '{"a":1}', 'e.md': '', 'f.md': '' });
  const { message, hint } = await openDataSet(folder, '/nowhere').then(
    () => assert.fail('opened'),
    (error) => error,
  );
  assert.match(message, /5 files \(a.txt, b\/c.bin, d.json, e.md, …\)/);
  for (const name of ['HAPT', 'DSADS', 'UCI HAR', 'MotionSense', 'Sensor Logger', 'Edge Impulse', 'phyphox'])
    assert.match(hint, new RegExp(name));
});

test('a table of something else, a text and an empty file say how they begin', async (t) => {
  for (const [name, content, what] of [
    ['sales.csv', 'customer,amount\n1,2\n', /begins with customer,amount/],
    ['notes.txt', '\u0000\u0001walk', /begins with ··walk/],
    ['empty.csv', '', /the file is empty/],
  ] as const)
    await assert.rejects(openDataSet(await fileWith(t, content, name), '/nowhere'), failsWith('data-format', what));
  const nearly = await fileWith(t, 'time_s,acc_x_mps2\n0,1\n', 'walk.csv');
  await assert.rejects(openDataSet(nearly, '/nowhere'), failsWith('data-format', /first column is 'time_s'/));
});

test('an archive that claims or unpacks to more than it may is refused', async (t) => {
  const honest = zipOf({ 'first.csv': '', 'TotalAcceleration.csv': 'x'.repeat(1000) });
  const claims = Buffer.from(honest);
  const central = claims.lastIndexOf('PK\x01\x02');
  claims.writeUInt32LE(3_000_000_000, central + 24);
  await assert.rejects(
    openDataSet(await fileWith(t, claims, 'a.zip'), '/nowhere'),
    failsWith('data-format', /more than/),
  );
  claims.writeUInt32LE(10, central + 24); // claims little, holds more
  await assert.rejects(
    openDataSet(await fileWith(t, claims, 'a.zip'), '/nowhere'),
    failsWith('data-format', /inflated/),
  );
});
