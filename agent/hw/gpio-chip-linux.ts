/**
 * Which GPIO chip a board's line numbers mean, and the kernel's number of its first line. A Raspberry Pi has several chips; the header is
 * the one of its pin controller. Bases move: 0 on old kernels; with 6.6 and later 512 up to the Pi 4 and 569 or 571 on a Pi 5.
 * Source: the kernel's Documentation/admin-guide/gpio/sysfs.rst, /sys/class/gpio/gpiochipN/{base,label,ngpio}.
 */
import { readdir, readFile } from 'node:fs/promises';
import { AppError } from '../../core/base/errors.ts';

export interface GpioChip {
  readonly label: string;
  /** The kernel's number of line 0. */
  readonly base: number;
  readonly lines: number;
}

/** Pin controllers behind the 40-pin header: Pi 0 to 3, Pi 4, Pi 5. */
const HEADER_LABELS = ['pinctrl-bcm2835', 'pinctrl-bcm2711', 'pinctrl-rp1'];

/** Every chip that the kernel shows, by base; none where there is no GPIO. */
export async function listGpioChips(sysfs = '/sys'): Promise<readonly GpioChip[]> {
  const folder = `${sysfs}/class/gpio`;
  const entries = await readdir(folder).catch(() => []);
  const chips = await Promise.all(
    entries
      .filter((entry) => /^gpiochip\d+$/.test(entry))
      .map(async (entry) => {
        const [label, base, lines] = await Promise.all(
          ['label', 'base', 'ngpio'].map((name) => readFile(`${folder}/${entry}/${name}`, 'utf8')),
        );
        return { label: label?.trim() ?? '', base: Number(base), lines: Number(lines) };
      }),
  );
  return chips.sort((a, b) => a.base - b.base);
}

/** @param label as in the settings; undefined: the header's chip, or the only one @throws AppError `gpio-failed` */
export async function resolveGpioChip(label: string | undefined, sysfs = '/sys'): Promise<GpioChip> {
  const where = `${sysfs}/class/gpio`;
  const chips = await listGpioChips(sysfs);
  if (chips.length === 0) {
    throw new AppError('gpio-failed', 'this machine shows no GPIO chip', {
      where,
      hint: "GPIO needs the kernel's sysfs interface (CONFIG_GPIO_SYSFS), which Raspberry Pi OS has.",
    });
  }
  const wanted = chips.filter((chip) =>
    label === undefined ? HEADER_LABELS.includes(chip.label) : chip.label === label,
  );
  const [chip] = wanted.length === 0 && label === undefined ? chips : wanted;
  const candidates = wanted.length === 0 && label === undefined ? chips.length : wanted.length;
  if (chip !== undefined && candidates === 1) return chip;
  const names = chips.map((each) => each.label).join(', ');
  throw new AppError(
    'gpio-failed',
    label === undefined ? 'it is not clear which GPIO chip is meant' : `no GPIO chip is called ${label}`,
    {
      where,
      hint: `Set gpio.chip to one of: ${names}.`,
    },
  );
}
