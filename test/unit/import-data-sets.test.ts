/** Published data sets and Edge Impulse's files, reduced to a few rows in exactly their layout. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from 'cborg';
import fc from 'fast-check';
import { openDataSet } from '../../core/trace/data-set.ts';
import { windowsOf } from '../../core/trace/order.ts';
import type { Recording } from '../../core/trace/recording.ts';
import { zipOf } from '../fixtures/archives.ts';
import { failsWith, fileWith } from '../fixtures/trace-folder.ts';
import { unpacked } from '../fixtures/unpacked.ts';

const SIGNED = {
  protected: { ver: 'v1', alg: 'HS256', iat: 1564128599 },
  signature: 'b0ee0572a1984b93b6bc56e6576e2cbbd6bccd65d0c356e26b31bbc9a48210c6',
};
const PAYLOAD = {
  device_name: 'ac:87:a3:0a:2d:1b',
  device_type: 'DISCO-L475VG-IOT01A',
  interval_ms: 10,
  sensors: [
    { name: 'accX', units: 'm/s2' },
    { name: 'accY', units: 'm/s2' },
    { name: 'accZ', units: 'm/s2' },
    { name: 'gyrX', units: 'dps' },
    { name: 'gyrY', units: 'dps' },
    { name: 'gyrZ', units: 'dps' },
    { name: 'light', units: 'lx' },
  ],
  values: [
    [-9.81, 0.03, 1.21, 180, 0, 0, 5],
    [-9.83, 0.04, 1.27, 0, 90, 0, 5],
    [-9.12, 0.03, 1.23, 0, 0, -90, 5],
  ],
};
const ACQUISITION = { ...SIGNED, payload: PAYLOAD };
const json = (payload: object = PAYLOAD) => JSON.stringify({ ...SIGNED, payload }, null, 2);

test('Edge Impulse: JSON and CBOR say the same; axes are joined, units converted, the label is the name up to a dot', async (t) => {
  const notes: string[] = [];
  const text = await openDataSet(await fileWith(t, json(), 'wave.1.d8Ae.json'), '/nowhere', (note) => notes.push(note));
  const binary = await openDataSet(await fileWith(t, encode(ACQUISITION), 'wave.2.cbor'), '/nowhere');
  assert.deepEqual(binary.recordings, text.recordings);
  const { subject, modalities, labels } = text.recordings[0] as Recording;
  assert.deepEqual([subject, text.classes, labels], [PAYLOAD.device_name, ['wave'], [{ tUs: 0, label: 'wave' }]]);
  const [acc, gyr] = modalities;
  assert.deepEqual([acc?.name, acc?.unit, acc?.sampleRateHz], ['acc', 'mps2', 100]);
  assert.deepEqual([...(acc?.tUs ?? [])], [0, 10_000, 20_000]);
  assert.deepEqual(acc?.values.subarray(0, 3), Float32Array.of(-9.81, 0.03, 1.21));
  assert.deepEqual(gyr?.values, Float32Array.of(Math.PI, 0, 0, 0, Math.PI / 2, 0, 0, 0, -Math.PI / 2));
  assert.match(notes.join(), /'light' is no axis/);
});

test('Edge Impulse: an exported folder with info.labels, one label or several', async (t) => {
  const info = {
    version: 1,
    files: [
      { path: 'a.json', category: 'training', label: { type: 'label', label: 'idle' } },
      {
        path: 'b.cbor',
        category: 'training',
        label: {
          type: 'multi-label',
          labels: [
            { label: 'up', startIndex: 0, endIndex: 10 },
            { label: 'down', startIndex: 10, endIndex: 20 },
          ],
        },
      },
      { path: 'c.json', label: { type: 'unlabeled' } },
    ],
  };
  const folder = await unpacked(t, {
    'training/info.labels': JSON.stringify(info),
    'training/a.json': json(),
    'training/b.cbor': encode(ACQUISITION),
    'training/c.json': json(),
  });
  const { recordings, classes } = await openDataSet(folder, '/nowhere');
  assert.deepEqual(classes, ['down', 'idle', 'up']);
  assert.deepEqual(
    recordings.map(({ labels }) => labels.map(({ tUs, label }) => [tUs, label])),
    [
      [[0, 'idle']],
      [
        [0, 'up'],
        [10_000, 'down'],
        [20_000, null],
      ],
      [],
    ],
  );
});

test('Edge Impulse: what is not as documented is refused with what is wrong', async (t) => {
  const sensors = PAYLOAD.sensors.map(({ name }) => ({ name, units: 'N/A' }));
  const cases: [object, RegExp][] = [
    [{ ...PAYLOAD, sensors }, /unit 'N\/A' of 'accX'/],
    [{ ...PAYLOAD, interval_ms: 0 }, /interval_ms/],
    [{ ...PAYLOAD, sensors: 'acc' }, /sensors/],
    [{ ...PAYLOAD, values: 3 }, /values is no list/],
    [{ ...PAYLOAD, values: [[1, 2]] }, /values\[0\] is not 7 numbers/],
    [{ ...PAYLOAD, values: [] }, /no samples/],
    [{ ...PAYLOAD, sensors: [{ name: 'audio', units: 'wav' }], values: [1, 2, 3] }, /no samples/],
  ];
  for (const [payload, what] of cases)
    await assert.rejects(
      openDataSet(await fileWith(t, json(payload), 'x.json'), '/nowhere'),
      failsWith('data-format', what),
    );
  const cut = encode(ACQUISITION).subarray(0, 300);
  await assert.rejects(
    openDataSet(await fileWith(t, cut, 'x.cbor'), '/nowhere'),
    failsWith('data-format', /neither JSON nor CBOR/),
  );
});

test('Edge Impulse: any samples come back as they were, in either encoding', async (t) => {
  const value = fc.float({ noNaN: true, noDefaultInfinity: true });
  const rows = fc.array(fc.tuple(value, value, value), { minLength: 2, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(rows, fc.integer({ min: 1, max: 200 }), fc.boolean(), async (values, interval_ms, isJson) => {
      const payload = { ...PAYLOAD, interval_ms, sensors: PAYLOAD.sensors.slice(0, 3), values };
      const content = isJson ? json(payload) : encode({ ...SIGNED, payload });
      const { recordings } = await openDataSet(await fileWith(t, content, 'any.bin'), '/nowhere');
      const acc = recordings[0]?.modalities[0];
      assert.deepEqual(
        acc?.values,
        Float32Array.from(values.flat(), (v) => (v === 0 ? 0 : v)),
      );
      assert.deepEqual(
        [...(acc?.tUs ?? [])],
        values.map((_, i) => i * interval_ms * 1000),
      );
    }),
    { numRuns: 40 },
  );
});

const MOTION_HEAD =
  ',attitude.roll,attitude.pitch,attitude.yaw,gravity.x,gravity.y,gravity.z,rotationRate.x,rotationRate.y,rotationRate.z,userAcceleration.x,userAcceleration.y,userAcceleration.z\n';
const motion = (first: number, rows = 3) =>
  MOTION_HEAD + Array.from({ length: rows }, (_, i) => `${i},1,2,3,0,0,-1,${first + i},0.5,-0.5,0.25,0,0\n`).join('');

test('MotionSense: total acceleration in m/s² with the sign of a chip, a person their trials in order', async (t) => {
  const files = {
    'A_DeviceMotion_data/wlk_15/sub_2.csv': motion(50),
    'A_DeviceMotion_data/wlk_7/sub_2.csv': motion(10),
    'A_DeviceMotion_data/std_6/sub_2.csv': motion(30),
    'A_DeviceMotion_data/sit_5/sub_10.csv': motion(70),
    'data_subjects_info.csv': 'code,weight,height,age,gender\n1,102,188,46,1\n',
  };
  const dataSet = await openDataSet(await unpacked(t, files), '/nowhere');
  assert.deepEqual([dataSet.name, dataSet.classes], ['motion-sense', ['walking', 'standing', 'sitting']]);
  assert.deepEqual(
    dataSet.recordings.map(({ subject }) => subject),
    ['2', '10'],
  );
  const { modalities, labels } = dataSet.recordings[0] as Recording;
  const [acc, gyr] = modalities;
  assert.deepEqual(acc?.values.subarray(0, 3), Float32Array.of(-0.25 * 9.80665, -0, 9.80665));
  assert.deepEqual(
    [...(gyr?.values ?? [])].filter((_, i) => i % 3 === 0),
    [30, 31, 32, 10, 11, 12, 50, 51, 52],
  );
  assert.deepEqual([...(acc?.tUs ?? [])].slice(0, 4), [0, 20_000, 40_000, 2_040_000]);
  assert.deepEqual(
    labels.map(({ label }) => label),
    ['standing', 'walking'],
  );
  const zipped = await openDataSet(await fileWith(t, zipOf(files), 'motion.zip'), '/nowhere');
  assert.deepEqual(zipped.recordings, dataSet.recordings);
});

/** As the publishers write numbers. */
const fixed = (value: number) => ` ${value.toExponential(7).replace(/e([+-])(\d)$/, 'e$100$2')}`;

/** A stream's value that belongs to no other place. */
const sample = (stream: number, i: number, channel: number) =>
  Math.fround(((stream * 9973 + i * 31 + channel * 7) % 4001) / 2000 - 1);

interface HarWindow {
  readonly stream: number;
  readonly at: number;
  readonly subject: number;
  readonly activity: number;
}

function harFiles(split: string, windows: readonly HarWindow[]): Record<string, string> {
  const signal = (channel: number) =>
    windows
      .map(
        ({ stream, at }) =>
          `${Array.from({ length: 128 }, (_, i) => fixed(sample(stream, at + i, channel))).join('')}\n`,
      )
      .join('');
  const files: Record<string, string> = {
    [`${split}/subject_${split}.txt`]: windows.map(({ subject }) => `${subject}\n`).join(''),
    [`${split}/y_${split}.txt`]: windows.map(({ activity }) => `${activity}\n`).join(''),
  };
  ['total_acc_x', 'total_acc_y', 'total_acc_z', 'body_gyro_x', 'body_gyro_y', 'body_gyro_z'].forEach(
    (name, channel) => {
      files[`${split}/Inertial Signals/${name}_${split}.txt`] = signal(channel);
    },
  );
  return files;
}

const NAMES = { 'activity_labels.txt': '1 WALKING\n2 WALKING_UPSTAIRS\n3 WALKING_DOWNSTAIRS\n' };
const TRAIN: HarWindow[] = [
  { stream: 1, at: 0, subject: 1, activity: 1 },
  { stream: 1, at: 64, subject: 1, activity: 1 },
  { stream: 1, at: 128, subject: 1, activity: 2 }, // goes on, but under another label
  { stream: 2, at: 0, subject: 1, activity: 2 }, // another stretch
  { stream: 3, at: 0, subject: 3, activity: 1 },
];
const TEST: HarWindow[] = [{ stream: 4, at: 0, subject: 2, activity: 3 }];

test('UCI HAR: windows become the stream they were cut from, and the windows cut from it are the published ones', async (t) => {
  const files = { ...harFiles('train', TRAIN), ...harFiles('test', TEST), ...NAMES };
  const prefixed = Object.fromEntries(Object.entries(files).map(([name, text]) => [`UCI HAR Dataset/${name}`, text]));
  const dataSet = await openDataSet(await unpacked(t, prefixed), '/nowhere');
  assert.deepEqual([dataSet.name, dataSet.publishedTestSubjects], ['uci-har', ['2']]);
  assert.deepEqual(dataSet.classes, ['WALKING', 'WALKING_UPSTAIRS', 'WALKING_DOWNSTAIRS']);
  const first = dataSet.recordings.find(({ subject }) => subject === '1') as Recording;
  assert.equal(first.modalities[0]?.tUs.length, 192 + 128 + 128);
  assert.deepEqual(await openDataSet(await fileWith(t, zipOf(prefixed), 'uci.zip'), '/nowhere'), dataSet);
  for (const { subject } of dataSet.recordings) {
    const published = [...TRAIN, ...TEST].filter((window) => window.subject === Number(subject));
    const recording = dataSet.recordings.find((one) => one.subject === subject) as Recording;
    const wanted = recording.modalities.map((modality) => ({ ...modality, samples: 128 }));
    const windows = windowsOf(recording, { wanted, windowSeconds: 2.56, overlap: 0.5 });
    assert.equal(windows.length, published.length);
    windows.forEach(({ label, values }, w) => {
      const { stream, at, activity } = published[w] as HarWindow;
      assert.equal(label, dataSet.classes[activity - 1]);
      assert.equal(
        values[1]?.[3 * 5 + 2],
        Number(fixed(sample(stream, at + 5, 5))) === 0 ? 0 : Math.fround(sample(stream, at + 5, 5)),
      );
      const gravity = Math.fround(Number(fixed(sample(stream, at + 127, 0))) * 9.80665);
      assert.equal(values[0]?.[3 * 127], gravity);
    });
  }
});

test('UCI HAR: numbers that do not fit together are refused', async (t) => {
  const files = { ...harFiles('train', TRAIN), ...NAMES };
  const without = (name: string) => Object.fromEntries(Object.entries(files).filter(([path]) => path !== name));
  const cases: [Record<string, string>, RegExp][] = [
    [without('train/Inertial Signals/body_gyro_z_train.txt'), /body_gyro_z is missing/],
    [without('train/y_train.txt'), /0 labels/],
    [without('activity_labels.txt'), /activity_labels.txt is missing/],
    [{ ...files, 'train/y_train.txt': '1\n1\n2\n2\n9\n' }, /activity 9 has no name/],
    [{ ...files, 'train/Inertial Signals/total_acc_x_train.txt': '1 2 3\n' }, /not 128 numbers/],
  ];
  for (const [broken, what] of cases)
    await assert.rejects(openDataSet(await unpacked(t, broken), '/nowhere'), failsWith('data-format', what));
});
