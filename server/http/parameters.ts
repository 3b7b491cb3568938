/** Parameters that several routes take, and pieces that several answers have. */
import { z } from '@hono/zod-openapi';

/** Largest round number that is understood. */
export const MAX_ROUND = 2 ** 32 - 1;

/** A whole number in decimal digits; left out: `fallback`. */
export function whole(min: number, max: number, fallback?: number) {
  const digits = z
    .string()
    .regex(/^\d{1,10}$/, 'takes digits')
    .transform(Number)
    .refine((value) => value >= min && value <= max, `takes ${min} to ${max}`);
  const documented = { type: 'integer', minimum: min, maximum: max } as const;
  if (fallback === undefined) return digits.openapi(documented);
  return digits.default(fallback).openapi({ ...documented, default: fallback });
}

export const deviceName = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, "is no board's name")
  .openapi({ example: 'pi-1' });
export const roundNumber = whole(0, MAX_ROUND).openapi({ example: 1 });

export const wallTime = z.number().nullable().openapi({ description: 'milliseconds since 1970, null when not known' });
export const share = z.number().min(0).max(1);
export const count = z.int().min(0);
export const countsByReason = z.record(z.string(), count);
export const bytesOfRound = z.strictObject({ payload: count, fp32: count, model: count, prototypes: count });

export const modalityQuality = z.strictObject({
  modality: z.string(),
  windowsPresent: count,
  quality: share.nullable(),
  why: z.string().nullable().openapi({ description: 'measure that pulled the quality down most, see docs/quality.md' }),
});
