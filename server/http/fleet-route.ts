/** `/api/v1/fleet`: the whole in one answer, with the number of the event from which a listener goes on without a gap. */
import { type OpenAPIHono, z } from '@hono/zod-openapi';
import { eventId } from './event-stream.ts';
import type { FleetWindow } from './fleet-window.ts';
import { jsonRoute } from './json-route.ts';
import { count, wallTime } from './parameters.ts';

const openRound = z
  .strictObject({
    round: count,
    kind: z.enum(['statistics', 'training']),
    modelVersion: count,
    openedMs: wallTime,
    openForMs: z.number(),
    deadlineMs: z.number().openapi({ description: 'how long a round stays open; 0 = until its quorum' }),
    asked: count,
    counted: count,
  })
  .openapi('OpenRoundLine');

const schema = z
  .strictObject({
    fleet: z.string(),
    strategy: z.string(),
    settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    startedMs: wallTime,
    model: z.strictObject({ version: count, parameters: count, hasScale: z.boolean() }),
    spec: z.strictObject({
      classes: z.array(z.string()),
      modalities: z.array(
        z.strictObject({
          name: z.string(),
          unit: z.string(),
          channels: z.array(z.string()),
          sampleRateHz: z.number(),
          samples: count,
        }),
      ),
    }),
    round: openRound.nullable().openapi({ description: 'null between rounds' }),
    lastRound: count.nullable(),
    isPaused: z.boolean(),
    isLinkUp: z.boolean(),
    boards: z.strictObject({ known: count, online: count, offline: count, finished: count, unknown: count }),
    totals: z
      .strictObject({ rounds: count, payloadBytes: count, fp32Bytes: count })
      .openapi({ description: 'over all closed rounds' }),
    canChange: z.boolean().openapi({ description: 'the settings name a token' }),
    hasPredictions: z.boolean(),
    lastEventId: z.string(),
  })
  .openapi('Fleet');

export function addFleetRoute(app: OpenAPIHono, window: FleetWindow, canChange: boolean): void {
  const { fleet, spec, settings, deadlineMs, view, operator, history } = window;
  jsonRoute(app, { path: '/api/v1/fleet', tag: 'fleet', summary: 'The fleet at a glance', schema }, () => {
    const global = window.global();
    const open = view.round();
    return {
      fleet,
      strategy: settings.strategy,
      settings: { ...settings },
      startedMs: view.startedMs,
      model: {
        version: global.version,
        parameters: global.params.length,
        hasScale: global.normalization !== null,
      },
      spec: { classes: spec.classes, modalities: spec.modalities },
      round: open && {
        ...{ round: open.round, kind: open.kind, modelVersion: open.modelVersion },
        ...{ openedMs: open.openedMs, openForMs: open.openForMs, deadlineMs },
        ...{ asked: open.asked.length, counted: open.arrivals.size },
      },
      lastRound: history.lastRound(),
      isPaused: operator.isPaused(),
      isLinkUp: view.isLinkUp(),
      boards: boardsByState(window),
      totals: history.totals(),
      canChange,
      hasPredictions: window.hasHoldout,
      lastEventId: eventId(view, view.events.newest()),
    };
  });
}

/** Boards that were ever counted, or heard of since the start. */
export function boardsByState({ view, history }: FleetWindow) {
  const states = { known: 0, online: 0, offline: 0, finished: 0, unknown: 0 };
  const live = view.boards();
  const names = new Set([...live.keys(), ...history.boards().map(({ device }) => device)]);
  for (const name of names) {
    states.known++;
    states[live.get(name)?.state ?? 'unknown']++;
  }
  return states;
}
