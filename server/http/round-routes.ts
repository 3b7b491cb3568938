/** `/api/v1/rounds`: closed rounds in pages, one of them, the open one; and what was refused. */
import { type OpenAPIHono, z } from '@hono/zod-openapi';
import { namedUpdate, updateSchema } from './device-routes.ts';
import type { FleetWindow } from './fleet-window.ts';
import { jsonRoute } from './json-route.ts';
import { bytesOfRound, count, countsByReason, MAX_ROUND, roundNumber, share, wallTime, whole } from './parameters.ts';
import { problem } from './problem.ts';

const kind = z.enum(['statistics', 'training']);

const lineSchema = z
  .strictObject({
    round: count,
    kind,
    version: count.openapi({ description: 'of the model that it produced' }),
    closedMs: wallTime,
    durationMs: z.number(),
    boards: count,
    refused: count,
    bytes: bytesOfRound,
    online: z.strictObject({ accuracy: share, loss: z.number() }).nullable(),
    clean: share.nullable().openapi({ description: 'accuracy on held-out windows' }),
  })
  .openapi('RoundLine');

// Not `lineSchema.extend`: that is described as all of two strict schemas, which no answer can be.
const roundSchema = z
  .strictObject({
    ...lineSchema.shape,
    modalities: z.record(z.string(), z.strictObject({ meanQuality: share.nullable(), missingShare: share })),
    evaluation: z
      .strictObject({
        clean: share,
        missing: z.record(z.string(), share),
        degraded: z.record(z.string(), share),
        calibration: z.strictObject({ untempered: z.number(), served: z.number() }).optional(),
      })
      .nullable(),
    updates: z.array(updateSchema),
    rejections: countsByReason.openapi({ description: 'those after it had closed included' }),
  })
  .openapi('Round');

const openSchema = z
  .strictObject({
    round: count,
    kind,
    modelVersion: count,
    openedMs: wallTime,
    openForMs: z.number(),
    deadlineMs: z.number(),
    asked: z.array(z.string()),
    counted: z.array(z.strictObject({ device: z.string(), arrivedMs: z.number().nullable() })),
    waitingFor: z.array(z.string()),
  })
  .openapi('OpenRound');

const rejectionsSchema = z
  .strictObject({
    rounds: z.array(z.strictObject({ round: count, reasons: countsByReason })).openapi({ description: 'newest first' }),
    sinceStart: countsByReason,
    newest: z
      .array(z.strictObject({ atMs: z.number(), device: z.string(), reason: z.string() }))
      .openapi({ description: 'newest first, since the aggregator started' }),
  })
  .openapi('Rejections');

const MAX_REJECTION_ROUNDS = 10_000;
const FORGOTTEN = 'only its line and its points in curves are left (rounds.keepRounds)';

export function addRoundRoutes(app: OpenAPIHono, window: FleetWindow): void {
  const { view, history, deadlineMs } = window;
  const page = { before: whole(0, MAX_ROUND, MAX_ROUND), limit: whole(1, 200, 50) };
  const schema = z.strictObject({ rounds: z.array(lineSchema), next: count.nullable() }).openapi('Rounds');
  const pages = { path: '/api/v1/rounds', tag: 'rounds', summary: 'Closed rounds, newest first', query: page };
  jsonRoute(app, { ...pages, schema }, ({ before, limit }) => {
    const found = history.rounds(before, limit + 1);
    const rounds = found.slice(0, limit);
    return { rounds, next: found.length > limit ? (rounds.at(-1)?.round ?? null) : null };
  });
  const summary = 'The open round, who answered and when; null between rounds';
  const current = { path: '/api/v1/rounds/current', tag: 'rounds', summary };
  jsonRoute(app, { ...current, schema: openSchema.nullable() }, () => {
    const open = view.round();
    if (open === null) return null;
    const { round, modelVersion, openedMs, openForMs, asked, arrivals } = open;
    return {
      ...{ round, kind: open.kind, modelVersion, openedMs, openForMs, deadlineMs, asked },
      counted: [...arrivals].map(([device, arrivedMs]) => ({ device, arrivedMs })),
      waitingFor: asked.filter((device) => !arrivals.has(device)),
    };
  });
  const one = {
    path: '/api/v1/rounds/{round}',
    tag: 'rounds',
    summary: 'A closed round',
    params: { round: roundNumber },
  };
  jsonRoute(app, { ...one, problems: ['not-found'], schema: roundSchema }, ({ round }) => {
    const found = history.round(round);
    if (found === null) return problem('not-found', 'no such round has closed');
    if (found.record === null) return problem('not-found', `round ${round} was forgotten: ${FORGOTTEN}`);
    const { modalities, evaluation } = found.record;
    const updates = history.updates(round).map((update) => namedUpdate(update, window));
    const rejections = history.rejections(round, round)[0]?.reasons ?? {};
    return { ...found.facts, modalities, evaluation, updates, rejections };
  });
  addRejectionsRoute(app, window);
}

function addRejectionsRoute(app: OpenAPIHono, { view, history }: FleetWindow): void {
  const about = {
    path: '/api/v1/rejections',
    tag: 'rounds',
    summary: 'What was refused and why, in the newest rounds',
    query: { rounds: whole(1, MAX_REJECTION_ROUNDS, 100) },
  };
  jsonRoute(app, { ...about, schema: rejectionsSchema }, ({ rounds }) => {
    const last = view.round()?.round ?? history.lastRound() ?? 0;
    return {
      rounds: history.rejections(Math.max(0, last - rounds + 1), last),
      sinceStart: { ...view.totals().refused } as Record<string, number>,
      newest: view.refusals(),
    };
  });
}
