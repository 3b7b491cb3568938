/** `/api/v1/devices`: all boards with a few rounds of history, or one with as much as is kept. */
import { type OpenAPIHono, z } from '@hono/zod-openapi';
import type { CountedUpdate } from '../store/history.ts';
import { type BoardLine, createBoardLines } from './board-list.ts';
import type { FleetWindow } from './fleet-window.ts';
import { jsonRoute } from './json-route.ts';
import { count, countsByReason, deviceName, MAX_ROUND, modalityQuality, share, wallTime, whole } from './parameters.ts';
import { problem } from './problem.ts';

/** Rounds of history that a list may have. */
const MAX_HISTORY = 50;
const MAX_BOARDS_A_PAGE = 2000;
/** History of one board's own page: enough to say since when a sensor is in trouble. */
const OWN_HISTORY = 50;

const states = z.enum(['online', 'offline', 'finished', 'unknown']);

const boardSchema = z
  .strictObject({
    device: z.string(),
    state: states.openapi({ description: '`unknown`: it has said nothing since the aggregator started' }),
    lastSeenMs: wallTime,
    lastRound: count.nullable(),
    isAsked: z.boolean().openapi({ description: 'in the open round' }),
    hasAnswered: z.boolean().openapi({ description: 'in the open round' }),
    counted: count,
    bytes: count.openapi({ description: 'of all counted updates' }),
    windows: count.nullable(),
    backlog: count.nullable(),
    accuracy: share.nullable().openapi({ description: 'of its predictions in its newest update, before it trained' }),
    modalities: z.array(
      modalityQuality.extend({
        badRounds: count.openapi({
          description: 'newest rounds in a row, as far as history reaches, with a quality below 0.5 or none',
        }),
        history: z.array(share.nullable()),
      }),
    ),
    missing: z.array(z.string()),
    refused: countsByReason.openapi({ description: 'since the aggregator started' }),
  })
  .openapi('Board');

const listSchema = z
  .strictObject({
    rounds: z.array(count).openapi({ description: "what every modality's history is of, ascending" }),
    devices: z.array(boardSchema),
    next: z.string().nullable().openapi({ description: '`after` of the next page' }),
  })
  .openapi('Boards');

export const updateSchema = z
  .strictObject({
    round: count,
    device: z.string(),
    seq: count,
    bytes: count,
    report: z
      .strictObject({
        arrivedMs: z.number().nullable().openapi({ description: "after the round's opening" }),
        windows: count,
        backlog: count,
        online: z.strictObject({ correct: count, count, lossSum: z.number() }),
        modalities: z.array(modalityQuality),
      })
      .nullable()
      .openapi({ description: 'kept for the newest 1000 rounds' }),
  })
  .openapi('CountedUpdate');

const deviceSchema = z
  .strictObject({
    device: boardSchema,
    rounds: z.array(count),
    updates: z.array(updateSchema).openapi({ description: 'newest first' }),
    next: count.nullable().openapi({ description: '`before` of the next page' }),
  })
  .openapi('BoardHistory');

export function addDeviceRoutes(app: OpenAPIHono, window: FleetWindow): void {
  const lines = createBoardLines(window);
  const page = {
    history: whole(0, MAX_HISTORY, 20),
    limit: whole(1, MAX_BOARDS_A_PAGE, MAX_BOARDS_A_PAGE),
    after: deviceName.optional(),
    state: states.optional(),
  };
  const lists = { path: '/api/v1/devices', tag: 'devices', summary: 'All boards, sorted by name', query: page };
  jsonRoute(app, { ...lists, schema: listSchema }, ({ history, limit, after, state }) => {
    const { rounds, boards } = lines.all(history);
    const wanted = boards.filter(
      (board) => (after === undefined || board.device > after) && (state === undefined || board.state === state),
    );
    const devices = wanted.slice(0, limit);
    return { rounds, devices, next: wanted.length > limit ? (devices.at(-1) as BoardLine).device : null };
  });
  const one = {
    path: '/api/v1/devices/{device}',
    tag: 'devices',
    summary: 'One board and its newest updates',
    params: { device: deviceName },
    query: { before: whole(0, MAX_ROUND, MAX_ROUND), limit: whole(1, 1000, 100) },
    problems: ['not-found'] as const,
  };
  jsonRoute(app, { ...one, schema: deviceSchema }, ({ device, before, limit }) => {
    const known = lines.one(device, OWN_HISTORY);
    if (known === null) return problem('not-found', 'no board of this name has been heard of');
    const found = window.history.updatesOf(device, before, limit + 1);
    const updates = found.slice(0, limit).map((update) => namedUpdate(update, window));
    return {
      device: known.board,
      rounds: known.rounds,
      updates,
      next: found.length > limit ? (updates.at(-1)?.round ?? null) : null,
    };
  });
}

/** The update with its modalities named. */
export function namedUpdate({ report, ...update }: CountedUpdate, { spec }: FleetWindow) {
  const modalities = report?.modalities.map((quality, m) => ({ modality: spec.modalities[m]?.name ?? '', ...quality }));
  return { ...update, report: report && { ...report, modalities: modalities ?? [] } };
}
