/** `/api/v1/series`: curves over rounds in columns, as a plotting library takes them. */
import { type OpenAPIHono, z } from '@hono/zod-openapi';
import { MAX_SERIES_ROUNDS } from '../store/series.ts';
import type { FleetWindow } from './fleet-window.ts';
import { jsonRoute } from './json-route.ts';
import { count, MAX_ROUND, whole } from './parameters.ts';
import { problem } from './problem.ts';

/** Rounds that are shown when nobody says otherwise. */
const USUAL_SPAN = 2000;

const schema = z
  .strictObject({
    from: count,
    to: count.openapi({ description: 'the last round that is looked at' }),
    step: z.int().min(1).openapi({ description: 'rounds that a point is the mean of' }),
    rounds: z.array(count).openapi({ description: 'last round of each point, ascending' }),
    columns: z.record(z.string(), z.array(z.number().nullable())).openapi({
      description:
        'as long as rounds: boards, refused, durationMs, payloadBytes, fp32Bytes, modelBytes, prototypeBytes, onlineAccuracy, ' +
        'onlineLoss, regret (nats a window, added up from the first round on: docs/dashboard.md); where known clean, missing/MODALITY, degraded/MODALITY (accuracy on held-out windows), quality/MODALITY, ' +
        'absent/MODALITY (share of windows without it)',
    }),
    regretExponent: z.number().nullable().openapi({
      description:
        'regret grows by this power of the number of rounds; null below 64 rounds with a loss, and without regret',
    }),
  })
  .openapi('Series');

export function addSeriesRoute(app: OpenAPIHono, { history }: FleetWindow): void {
  const about = {
    path: '/api/v1/series',
    tag: 'rounds',
    summary: 'Curves over rounds',
    query: {
      from: whole(0, MAX_ROUND).optional(),
      to: whole(0, MAX_ROUND).optional(),
      points: whole(1, 2000, 500),
    },
  };
  jsonRoute(app, { ...about, schema }, (query) => {
    const last = history.lastRound() ?? 0;
    const to = Math.min(query.to ?? last, last);
    const from = query.from ?? Math.max(0, to - USUAL_SPAN + 1);
    if (from > to) return { from, to, step: 1, rounds: [], columns: {}, regretExponent: null };
    if (to - from >= MAX_SERIES_ROUNDS) return problem('bad-request', `takes at most ${MAX_SERIES_ROUNDS} rounds`);
    return { from, to, ...history.series({ from, to, points: query.points }) };
  });
}
