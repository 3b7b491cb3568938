/** Traces as people write them: what is read, and what each mistake is answered with. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { openTrace, readRecording } from '../../core/trace/csv-reader.ts';
import { failsWith, fileWith } from '../fixtures/trace-folder.ts';

const HEADER = 't_s,acc_x_mps2,acc_y_mps2,label';

test('reads modalities, labels and times of a small trace', async (t) => {
  const path = await fileWith(
    t,
    '# subject: anna\n# rate_hz: acc=50 gyr=25\nt_s,acc_x_mps2,acc_y_mps2,gyr_z_radps,label\n' +
      '0,1,-2.5,0.5,walking\n0.02,2,1e-3,,walking\n0.04,3,4,-0.25,\n0.06,,,,"sit, still"\n',
  );
  const recording = await readRecording(path);
  assert.equal(recording.subject, 'anna');
  assert.deepEqual(recording.labels, [
    { tUs: 0, label: 'walking' },
    { tUs: 40_000, label: null },
    { tUs: 60_000, label: 'sit, still' },
  ]);
  const [acc, gyr] = recording.modalities;
  assert.deepEqual(acc, {
    name: 'acc',
    unit: 'mps2',
    channels: ['x', 'y'],
    sampleRateHz: 50,
    tUs: Float64Array.of(0, 20_000, 40_000),
    values: Float32Array.of(1, -2.5, 2, 1e-3, 3, 4),
  });
  assert.deepEqual(
    [gyr?.sampleRateHz, gyr?.tUs, gyr?.values],
    [25, Float64Array.of(0, 40_000), Float32Array.of(0.5, -0.25)],
  );
});

test('converts g, degrees per second and gauss to m/s², rad/s and µT', async (t) => {
  const path = await fileWith(t, '# rate_hz: acc=1 gyr=1 mag=1\nt_s,acc_x_g,gyr_x_dps,mag_x_gauss\n0,2,180,0.5\n');
  const { modalities } = await readRecording(path);
  assert.deepEqual(
    modalities.map(({ unit, values }) => [unit, values[0]]),
    [
      ['mps2', Math.fround(2 * 9.80665)],
      ['radps', Math.fround(Math.PI)],
      ['uT', 50],
    ],
  );
});

test('takes the subject from the name of the file when the file does not say', async (t) => {
  const path = await fileWith(t, gzipSync('# rate_hz: acc=50\nt_s,acc_x_mps2\n0,1\n'), 'bert.csv.gz');
  assert.equal((await openTrace(path)).header.subject, 'bert');
});

test('reads a file that a spreadsheet wrote: byte order mark, CRLF, quotes, no line break at the end', async (t) => {
  const path = await fileWith(
    t,
    '\ufeff# rate_hz: acc=50\r\nt_s,acc_x_mps2,label\r\n0,1,"say ""hi"""\r\n0.02,2,"say ""hi"""',
  );
  const { modalities, labels } = await readRecording(path);
  assert.deepEqual(labels, [{ tUs: 0, label: 'say "hi"' }]);
  assert.deepEqual(modalities[0]?.values, Float32Array.of(1, 2));
});

test('derives the nominal rate of each modality from the median interval, whatever gaps there are', async (t) => {
  const rows = Array.from(
    { length: 300 },
    (_, i) => `${(i * 0.00962 + (i > 200 ? 60 : 0)).toFixed(5)},1,${i % 4 === 0 ? 2 : ''}`,
  );
  const path = await fileWith(t, `t_s,acc_x_mps2,gyr_x_radps\n${rows.join('\n')}\n`);
  const { modalities } = (await openTrace(path)).header;
  assert.deepEqual(
    modalities.map(({ sampleRateHz }) => sampleRateHz),
    [104, 26],
  );
});

test('keeps a rate that is far from a whole number', async (t) => {
  const rows = Array.from({ length: 9 }, (_, i) => `${(i * 0.08).toFixed(2)},1`);
  const path = await fileWith(t, `t_s,acc_x_mps2\n${rows.join('\n')}\n`);
  assert.equal((await openTrace(path)).header.modalities[0]?.sampleRateHz, 12.5);
});

test('times stay exact to the microsecond after months', async (t) => {
  const path = await fileWith(
    t,
    '# rate_hz: acc=50\nt_s,acc_x_mps2\n7999999.999999,1\n8000000.000001,2\n1732451234.123457,3\n',
  );
  const { modalities } = await readRecording(path);
  assert.deepEqual(modalities[0]?.tUs, Float64Array.of(7_999_999_999_999, 8_000_000_000_001, 1_732_451_234_123_457));
});

test('events can be read twice, and left half-way', async (t) => {
  const path = await fileWith(
    t,
    `# rate_hz: acc=50\nt_s,acc_x_mps2\n${Array.from({ length: 250 }, (_, i) => `${i},1`).join('\n')}\n`,
  );
  const { events } = await openTrace(path);
  for await (const event of events) {
    assert.equal(event.kind === 'samples' && event.tUs.length, 100);
    break;
  }
  const lengths = [];
  for await (const event of events) lengths.push(event.kind === 'samples' ? event.tUs.length : null);
  assert.deepEqual(lengths, [100, 100, 50]);
});

test('an empty label column is an unlabelled recording; no samples at all is a recording too', async (t) => {
  const unlabelled = await readRecording(await fileWith(t, '# rate_hz: acc=50\nt_s,acc_x_mps2,label\n0,1,\n'));
  assert.deepEqual(unlabelled.labels, []);
  const empty = await readRecording(await fileWith(t, '# rate_hz: acc=50\nt_s,acc_x_mps2\n'));
  assert.equal(empty.modalities[0]?.tUs.length, 0);
});

const HEADER_MISTAKES: [string, string, RegExp, number][] = [
  ['first column is not the time', 'time,acc_x_mps2', /first column is 'time', not t_s/, 1],
  ['column of unknown form', '# subject: x\nt_s,accx', /'accx' has not the form/, 2],
  ['unknown unit', 't_s,acc_x_furlong', /unknown unit 'furlong'/, 1],
  ['unit that is a name of every object', 't_s,acc_x_constructor', /unknown unit 'constructor'/, 1],
  ['mixed units', 't_s,acc_x_g,acc_y_mps2', /mixes the units g and mps2/, 1],
  ['column twice', 't_s,acc_x_g,acc_x_g', /'acc_x_g' occurs twice/, 1],
  ['no modality', 't_s,label', /no column holds a modality/, 1],
  ['semicolons', 't_s;acc_x_g', /first column is/, 1],
  ['rate of no modality', '# rate_hz: gyr=50\nt_s,acc_x_g', /'gyr', which no column has/, 1],
  ['rate that is none', '# rate_hz: acc=fast\nt_s,acc_x_g', /'acc=fast' is not/, 1],
  ['rate of zero', '# rate_hz: acc=0\nt_s,acc_x_g', /'acc=0' is not/, 1],
];
for (const [scenario, text, what, line] of HEADER_MISTAKES) {
  test(`header mistake: ${scenario}`, async (t) => {
    const path = await fileWith(t, `${text}\n0,1\n`);
    await assert.rejects(openTrace(path), failsWith('data-format', what, `${path}:${line}`));
  });
}

const ROW_MISTAKES: [string, string, RegExp][] = [
  ['too few cells', '1,2,3', /3 cells where the header has 4/],
  ['too many cells', '1,2,3,,', /5 cells/],
  ['not a number', '1,2,x,', /'x' is not a finite number/],
  ['NaN', '1,NaN,2,', /'NaN' is not a finite number/],
  ['infinite', '1,-Infinity,2,', /'-Infinity' is not/],
  ['too large for 32 bits', '1,1e39,2,', /'1e39' is not/],
  ['hexadecimal', '1,0x10,2,', /'0x10' is not/],
  ['blank instead of empty', '1, ,2,', /' ' is not/],
  ['half-filled modality', '1,2,,', /'acc' has 1 of its 2 cells/],
  ['time missing', ',2,3,', /'' is not a time/],
  ['time negative', '-1,2,3,', /'-1' is not a time/],
  ['time beyond all clocks', '1e10,2,3,', /'1e10' is not a time/],
  ['time repeated', '0.5,2,3,', /0.5 s is not after/],
  ['time backwards', '0.25,2,3,', /0.25 s is not after/],
  ['quote left open', '1,2,3,"walk', /quoted cell is not closed/],
];
for (const [scenario, row, what] of ROW_MISTAKES) {
  test(`row mistake: ${scenario}`, async (t) => {
    const path = await fileWith(t, `# rate_hz: acc=2\n${HEADER}\n0,1,1,\n0.5,1,1,\n${row}\n9,1,1,\n`);
    await assert.rejects(readRecording(path), failsWith('data-format', what, `${path}:5`));
  });
}

test('a gzip stream that is cut off is an error that names the file', async (t) => {
  const rows = Array.from({ length: 5000 }, (_, i) => `${i},${Math.sin(i)}`).join('\n');
  const whole = gzipSync(`t_s,acc_x_mps2\n${rows}\n`);
  const path = await fileWith(t, whole.subarray(0, whole.length - 100), 'cut.csv.gz');
  await assert.rejects(readRecording(path), failsWith('data-format', /cannot be gunzipped/, path));
  const plain = await fileWith(t, 't_s,acc_x_mps2\n0,1\n', 'plain.csv.gz');
  await assert.rejects(readRecording(plain), failsWith('data-format', /cannot be gunzipped/, plain));
});

test('a file that is missing, a folder, an empty file and a binary file are told apart', async (t) => {
  await assert.rejects(openTrace('/nowhere/walk.csv'), failsWith('input-missing', /cannot read/, '/nowhere/walk.csv'));
  const empty = await fileWith(t, '');
  await assert.rejects(openTrace(empty), failsWith('data-format', /no line of column names/, empty));
  await assert.rejects(openTrace(empty.slice(0, -'/walk.csv'.length)), failsWith('input-missing', /cannot read/));
  const binary = await fileWith(t, new Uint8Array(200_000).fill(7));
  await assert.rejects(openTrace(binary), failsWith('data-format', /too long/, `${binary}:1`));
});

test('a rate that neither the file states nor its samples show is asked for', async (t) => {
  const path = await fileWith(t, 't_s,acc_x_mps2\n0,1\n');
  await assert.rejects(openTrace(path), failsWith('data-format', /rate of modality 'acc' is not known/, path));
});
