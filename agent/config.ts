/**
 * The board's settings: one schema is the type, read once, slices handed on. `agent/config.sample.toml` documents every key;
 * a test holds the two together. Only the composition roots import this file.
 */
import { z } from 'zod';
import { AppError } from '../core/base/errors.ts';
import { readToml } from '../core/base/toml.ts';

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
  link: z
    .strictObject({
      /** The aggregator's broker. */
      url: z
        .string()
        .regex(/^mqtt:\/\/[^/]+$/, 'takes mqtt://HOST:PORT')
        .default('mqtt://127.0.0.1:1883'),
      username: z.string().optional(),
      password: z.string().optional(),
      /** Seconds between signs of life. */
      keepaliveS: z.number().int().min(5).max(3600).default(60),
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
