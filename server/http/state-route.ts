/** `/api/v1/states`: what boards say of themselves now, which no round waits for (`core/wire/board-state.ts`). */
import { type OpenAPIHono, z } from '@hono/zod-openapi';
import type { FleetWindow } from './fleet-window.ts';
import { jsonRoute } from './json-route.ts';
import { count, share, wallTime } from './parameters.ts';

const stateSchema = z
  .strictObject({
    atMs: wallTime,
    online: z.boolean().openapi({ description: "false in a board's goodbye" }),
    activity: z.string().nullable().openapi({ description: 'null: no model yet, or no sensor to go by' }),
    confidence: share.openapi({ description: 'calibrated' }),
    modelVersion: count.nullable(),
    quality: z
      .record(z.string(), share.nullable())
      .openapi({ description: 'of the newest window by modality; null where it was missing' }),
    faults: z.array(z.string()).openapi({ description: 'what is failing now: `mpu6050@1:0x68: unplugged`' }),
  })
  .openapi('BoardState');

const schema = z
  .strictObject({
    states: z
      .record(z.string(), stateSchema)
      .openapi({ description: 'by board; of those that have said one since the start' }),
  })
  .openapi('BoardStates');

export function addStateRoute(app: OpenAPIHono, { view }: FleetWindow): void {
  const summary = 'What boards say of themselves: activity, confidence, quality, faults';
  jsonRoute(app, { path: '/api/v1/states', tag: 'devices', summary, schema }, () => {
    const said = [...view.boards()].flatMap(([device, board]) =>
      board.said === null ? [] : [[device, board.said] as const],
    );
    return { states: Object.fromEntries(said.sort(([a], [b]) => (a < b ? -1 : 1))) };
  });
}
