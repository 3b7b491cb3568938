/**
 * The board's settings: one schema is the type, read once, slices handed on. `agent/config.sample.toml` documents every key;
 * a test holds the two together. Only the composition roots import this file.
 */
import { z } from 'zod';
import { AppError } from '../core/base/errors.ts';
import { readToml } from '../core/base/toml.ts';
import { checkLinkKeys } from '../core/link/check-link-keys.ts';
import { isLabel } from './labels/label-desk.ts';
import { CHIP_NAMES } from './sensors/registry.ts';

/** What can stand in a trace and on a terminal. */
const label = z
  .string()
  .refine(isLabel, 'is no label: 1 to 64 characters, no control characters, no blank at the ends');

export const agentConfigSchema = z.strictObject({
  /** Name of the board in the fleet; also its MQTT client id. */
  device: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/),
  /** Fleet that the board learns with; part of every topic. */
  fleet: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/)
    .default('default'),
  /** Folder of the board's database. */
  stateDir: z.string().default('/var/lib/qqr-agent'),
  /** `normal` may lose the last second of raw stream in a power cut, `full` loses none and writes more. */
  durability: z.enum(['normal', 'full']).default('normal'),
  /** Chips on the board's I2C buses; none when a recording is played. */
  sensors: z
    .array(
      z.strictObject({
        /** A chip of `agent/sensors/registry.ts`. */
        chip: z.enum(CHIP_NAMES),
        /** `/dev/i2c-<bus>`. */
        bus: z.number().int().min(0).max(255).default(1),
        /** 7 bits; without it the chip's usual one. */
        address: z.number().int().min(0x08).max(0x77).optional(),
        /** Samples per second; the chip's nearest is taken. The fleet's model allows 10 % more or less than its own rate. */
        rateHz: z.number().min(1).max(8000).default(50),
        /** ± g. */
        accRangeG: z.union([z.literal(2), z.literal(4), z.literal(8), z.literal(16)]).default(4),
        /** ± degrees per second. */
        gyrRangeDps: z
          .union([z.literal(125), z.literal(250), z.literal(500), z.literal(1000), z.literal(2000)])
          .default(500),
        /** False for clones whose FIFO does not work. */
        fifo: z.boolean().default(true),
        /** Which chip axes are the board's x, y, z: how the sensor is mounted. */
        axes: z
          .array(z.enum(['x', 'y', 'z', '-x', '-y', '-z']))
          .length(3)
          .default(['x', 'y', 'z']),
        /** GPIO line of the chip's interrupt pin; without it the chip is read by the clock. */
        dataReadyLine: z.number().int().min(0).max(511).optional(),
      }),
    )
    .max(8)
    .default([]),
  gpio: z
    .strictObject({
      /** Label of the GPIO chip, as in /sys/class/gpio/gpiochip*\/label; without it the header's chip of a Raspberry Pi, or the only one. */
      chip: z.string().optional(),
      /** Line of an LED that shows how the board is. */
      statusLed: z.number().int().min(0).max(511).optional(),
      /** Line of a button that steps through `labels.cycle`. */
      cycleButton: z.number().int().min(0).max(511).optional(),
      /** Label → line of its button. */
      buttons: z.record(label, z.number().int().min(0).max(511)).default({}),
      /** A level must hold so long to count, milliseconds. */
      debounceMs: z.number().int().min(0).max(1000).default(30),
    })
    .prefault({}),
  labels: z
    .strictObject({
      /** What the cycle button steps through; after the last comes no label. */
      cycle: z.array(label).default([]),
      /** A label ends by itself after so many minutes, so that a forgotten one does not spoil a day. 0: never. */
      expireMinutes: z.number().min(0).max(1440).default(30),
      /** Take labels from the fleet's topic for this board. */
      mqtt: z.boolean().default(true),
    })
    .prefault({}),
  buffer: z
    .strictObject({
      /** The database is kept below this, MB (10⁶ bytes). */
      capMb: z.number().min(8).max(1_000_000).default(512),
      /** Raw stream and windows older than this are dropped, days of stream. */
      maxAgeDays: z.number().min(0.01).max(3650).default(30),
      /** At the cap: make room, or keep what there is and store nothing new. */
      policy: z.enum(['drop-oldest', 'stop']).default('drop-oldest'),
      /** Updates that wait for the aggregator, together, MB; beyond it the oldest are set aside. */
      outboxMb: z.number().min(1).max(1000).default(16),
    })
    .prefault({}),
  learner: z
    .strictObject({
      /** Resident memory above which the learner is ended and started again, MB. TensorFlow alone takes about 340. */
      memoryMb: z.number().int().min(400).max(65_536).default(700),
      /** CPU priority of the learner, 0 (as the agent) to 19 (only what nobody else wants). */
      nice: z.number().int().min(0).max(19).default(10),
    })
    .prefault({}),
  link: z
    .strictObject({
      /** The aggregator's broker; `mqtts` is TLS. */
      url: z
        .string()
        .regex(/^mqtts?:\/\/[^/@]+$/, 'takes mqtt://HOST:PORT or mqtts://HOST:PORT')
        .default('mqtt://127.0.0.1:1883'),
      username: z.string().optional(),
      password: z.string().optional(),
      /** File with the password on its first line, read anew for every connection. */
      passwordFile: z.string().optional(),
      /** PEM files for mqtts, read anew for every connection: CAs that may have signed the broker's certificate, the board's own certificate and its key. */
      ca: z.string().optional(),
      cert: z.string().optional(),
      key: z.string().optional(),
      /** Seconds between signs of life. */
      keepaliveS: z.number().int().min(5).max(3600).default(60),
      /** Updates were sent and nothing is heard for so many seconds: the connection is replaced. 0: never. */
      silenceS: z.union([z.literal(0), z.number().int().min(30).max(86_400)]).default(600),
    })
    .superRefine((link, { addIssue }) =>
      checkLinkKeys(link, (path, message) => addIssue({ code: 'custom', path: [path], message })),
    )
    .prefault({}),
  state: z
    .strictObject({
      /** The board tells how it is every so many seconds: activity, quality, faults; 0: never. */
      everyS: z.number().min(0).max(3600).default(10),
    })
    .prefault({}),
  metrics: z
    .strictObject({
      /** HOST:PORT where Prometheus may read the board's numbers, or `off`. Whoever reaches the address may read them. */
      listen: z
        .string()
        .regex(/^(?:off|.+:\d{1,5})$/, 'takes HOST:PORT or off')
        .refine(
          (text) => text === 'off' || Number(text.slice(text.lastIndexOf(':') + 1)) < 65_536,
          'takes a port up to 65535',
        )
        .default('off'),
    })
    .prefault({}),
  homeAssistant: z
    .strictObject({
      /** Describe the board to Home Assistant, which then shows it by itself. */
      enabled: z.boolean().default(false),
      /** Where Home Assistant looks for descriptions. */
      prefix: z
        .string()
        .regex(/^[^+#\s]+$/, 'cannot stand in a topic')
        .default('homeassistant'),
    })
    .prefault({}),
  window: z
    .strictObject({
      /** Length of a window, seconds. */
      seconds: z.number().min(0.1).max(60).default(2.56),
      /** Share of a window that the next one repeats. */
      overlap: z.number().min(0).max(0.9).default(0.5),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
    })
    .prefault({}),
});

export type AgentConfig = z.infer<typeof agentConfigSchema>;

/** Settings as a person writes them: everything may be left out, and nothing is checked yet. */
export type AgentSettings = Partial<z.input<typeof agentConfigSchema>>;

/** Reads a configuration file without checking it. Throws AppError 'input-missing', or 'config-invalid' when it is not TOML. */
export async function readAgentSettings(path: string): Promise<AgentSettings> {
  return await readToml(path);
}

/** Checks settings from wherever they come. */
export function parseAgentConfig(settings: unknown, where: string): AgentConfig {
  const result = agentConfigSchema.safeParse(settings);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const key = issue?.path.join('.') || '(top level)';
  throw new AppError('config-invalid', `${key}: ${issue?.message ?? 'not valid'}`, {
    where,
    hint: 'agent/config.sample.toml documents every key',
  });
}
