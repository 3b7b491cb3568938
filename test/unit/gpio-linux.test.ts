/** The kernel's GPIO with package and sysfs replaced: which chip and number a line is, and what goes wrong on the way to it. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { resolveGpioChip } from '../../agent/hw/gpio-chip-linux.ts';
import { linuxGpio } from '../../agent/hw/gpio-linux.ts';
import { describeError } from '../../core/base/errors.ts';
import { failsWith } from '../contract/i2c-bus.ts';
import { systemError } from '../fixtures/fake-i2c-bus.ts';
import { createFakeOnoff, type FakeChip } from '../fixtures/fake-onoff.ts';

const PI_4: readonly FakeChip[] = [
  { label: 'raspberrypi-exp-gpio', base: 570, ngpio: 8 },
  { label: 'pinctrl-bcm2711', base: 512, ngpio: 58 },
];
const PI_5: readonly FakeChip[] = [
  { label: 'gpio-brcmstb@107d508500', base: 512, ngpio: 32 },
  { label: 'gpio-brcmstb@107d508520', base: 544, ngpio: 4 },
  { label: 'pinctrl-rp1', base: 571, ngpio: 54 },
];
const PI_3_OLD: readonly FakeChip[] = [
  { label: 'pinctrl-bcm2835', base: 0, ngpio: 54 },
  { label: 'raspberrypi-exp-gpio', base: 504, ngpio: 8 },
];
const OTHER: readonly FakeChip[] = [{ label: 'virtio1', base: 1016, ngpio: 8 }];
const TWO_OTHERS: readonly FakeChip[] = [...OTHER, { label: 'gpio-sim.0', base: 900, ngpio: 16 }];

function setUp(t: TestContext, chips: readonly FakeChip[], label?: string) {
  const fake = createFakeOnoff(chips);
  t.after(() => fake.remove());
  const gpio = linuxGpio({
    sysfs: fake.sysfs,
    write: fake.write,
    load: async () => fake.module,
    ...(label !== undefined && { chip: label }),
  });
  return { fake, gpio };
}

for (const { name, chips, label, base } of [
  { name: 'a Pi 4', chips: PI_4, base: 512 },
  { name: 'a Pi 5', chips: PI_5, base: 571 },
  { name: 'a Pi 3 with an old kernel', chips: PI_3_OLD, base: 0 },
  { name: 'the only chip of another machine', chips: OTHER, base: 1016 },
  { name: 'a chip by its label', chips: TWO_OTHERS, label: 'gpio-sim.0', base: 900 },
  { name: "a label that is not the header's", chips: PI_4, label: 'raspberrypi-exp-gpio', base: 570 },
]) {
  test(`the base is found: ${name}`, async (t) => {
    const { fake } = setUp(t, chips);
    assert.equal((await resolveGpioChip(label, fake.sysfs)).base, base);
  });
}

async function failure(opening: Promise<unknown>): Promise<string> {
  let text = '';
  await assert.rejects(opening, (error) => {
    text = describeError(error);
    return failsWith('gpio-failed')(error);
  });
  return text;
}

test('several chips and none of a Pi, or a label that is not there: the labels are told', async (t) => {
  const { gpio } = setUp(t, TWO_OTHERS);
  assert.match(await failure(gpio.input(1, 'both')), /not clear which[\s\S]*gpio-sim\.0, virtio1/);
  assert.match(await failure(setUp(t, PI_4, 'pinctrl-rp1').gpio.input(1, 'both')), /pinctrl-rp1[\s\S]*pinctrl-bcm2711/);
  assert.match(await failure(setUp(t, []).gpio.input(1, 'both')), /no GPIO chip/);
});

test('a line is exported under base + line, and unexported when it is closed', async (t) => {
  const { fake, gpio } = setUp(t, PI_5);
  const input = await gpio.input(4, 'rising');
  assert.deepEqual([...fake.exported], [575]);
  input.close();
  assert.deepEqual([...fake.exported], []);
});

test('a line that a killed run left exported is taken over', async (t) => {
  const { fake, gpio } = setUp(t, PI_5);
  await fake.write(`${fake.sysfs}/class/gpio/export`, '575');
  fake.failExport('EBUSY');
  const input = await gpio.input(4, 'rising');
  fake.drive(575, 1);
  assert.equal(await input.read(), 1);
  input.close();
});

test('a line that a kernel driver holds says who to ask', async (t) => {
  const { fake, gpio } = setUp(t, PI_5);
  fake.failExport('EBUSY');
  assert.match(await failure(gpio.input(4, 'rising')), /EBUSY.*pinctrl-rp1, line 4[\s\S]*gpioinfo/);
  fake.failExport('EACCES');
  assert.match(await failure(gpio.input(4, 'rising')), /group gpio/);
  fake.failExport(null);
  (await gpio.input(4, 'rising')).close();
});

test('a line with a name is refused at once and not left exported', async (t) => {
  const { fake, gpio } = setUp(t, OTHER);
  fake.omit('folder');
  assert.match(await failure(gpio.input(4, 'rising')), /under a name/);
  assert.deepEqual([...fake.exported], []);
});

test('a line that cannot signal changes serves as an output only', async (t) => {
  const { fake, gpio } = setUp(t, OTHER);
  fake.omit(['edge']);
  assert.match(await failure(gpio.input(4, 'rising')), /cannot signal changes/);
  (await gpio.output(5, 1)).close();
});

test('a line that keeps its old direction is refused, though onoff says nothing', async (t) => {
  const { fake, gpio } = setUp(t, OTHER);
  fake.ignoreSettings();
  assert.match(await failure(gpio.output(4, 1)), /does not take its direction/);
  assert.match(await failure(gpio.input(4, 'both')), /does not take its direction/);
  assert.deepEqual([...fake.exported], []);
});

test('without the package the error names it', async (t) => {
  const { fake } = setUp(t, OTHER);
  const load = async () => {
    throw systemError('ERR_MODULE_NOT_FOUND', 'import');
  };
  await assert.rejects(linuxGpio({ sysfs: fake.sysfs, load }).input(1, 'both'), failsWith('dependency-missing'));
});
