/**
 * The HTTP API as a function from requests to answers: guards, routes, their description, and what happens to everything else.
 * Reading never changes anything; what a route throws is a failed store or a defect.
 */
import { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { etag } from 'hono/etag';
import type { Clock } from '../../core/base/clock.ts';
import { AppError } from '../../core/base/errors.ts';
import type { Log } from '../../core/base/log.ts';
import type { HttpSettings } from '../http-settings.ts';
import { addDeviceRoutes } from './device-routes.ts';
import { addEventRoute, type EventStreams } from './event-stream.ts';
import { addFleetRoute } from './fleet-route.ts';
import type { FleetWindow } from './fleet-window.ts';
import { bodyGuard, hostGuard, securityHeaders, tokenGuard } from './guards.ts';
import { createMetrics } from './metrics.ts';
import { addModelRoutes } from './model-routes.ts';
import { addOperatorRoutes } from './operator-routes.ts';
import { addProbeRoutes } from './probe-routes.ts';
import { problem, problemResponse } from './problem.ts';
import { addRoundRoutes } from './round-routes.ts';
import { addSeriesRoute } from './series-route.ts';
import { addStateRoute } from './state-route.ts';

export interface AppOptions {
  readonly window: FleetWindow;
  readonly settings: HttpSettings;
  /** Answers the files of the dashboard. */
  readonly staticFiles: MiddlewareHandler;
  readonly clock: Clock;
  readonly log: Log;
}

export interface App {
  fetch(request: Request, env?: object): Response | Promise<Response>;
  readonly streams: EventStreams;
}

const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'qqr-edge aggregator',
    version: '1',
    description: 'The fleet, its boards, rounds and model. Everything can be read; changing needs the bearer token.',
  },
} as const;

export function createApp({ window, settings, staticFiles, clock, log }: AppOptions): App {
  const app = new OpenAPIHono({
    defaultHook: (result, c) => {
      if (result.success) return undefined;
      const [issue] = result.error.issues;
      const name = issue?.path.join('.') ?? '';
      return problemResponse(c, problem('bad-request', `${name}: ${issue?.message ?? 'not understood'}`));
    },
  });
  app.use(securityHeaders(), hostGuard(settings), bodyGuard());
  for (const guarded of ['/api/*', '/metrics']) app.use(guarded, tokenGuard(settings));
  // Not for events: their answer has no end.
  for (const path of TAGGED) app.use(path, etag());
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  addFleetRoute(app, window, settings.token !== null);
  addDeviceRoutes(app, window);
  addStateRoute(app, window);
  addRoundRoutes(app, window);
  addSeriesRoute(app, window);
  addModelRoutes(app, window);
  const streams = addEventRoute(app, window.view, clock);
  addOperatorRoutes(app, window);
  addProbeRoutes(app, window, createMetrics(window, streams), clock);
  const document = app.getOpenAPI31Document(DOCUMENT);
  app.get('/openapi.json', (c) => c.json(document));
  app.use(staticFiles);
  app.notFound((c) => problemResponse(c, problem('not-found', '/openapi.json lists the routes')));
  app.onError((error, c) => {
    if (error instanceof AppError && error.code === 'storage-failed') {
      log.error({ where: error.where, error: String(error.cause) }, 'a request failed: the store cannot be read');
      return problemResponse(c, problem('storage-failed', error.message));
    }
    log.error({ path: c.req.path, error: error.stack ?? String(error) }, 'a request failed');
    return problemResponse(c, problem('internal', 'the log of the aggregator says more'));
  });
  return { fetch: (request, env) => app.fetch(request, env), streams };
}

const TAGGED = [
  '/openapi.json',
  '/api/v1/devices',
  '/api/v1/devices/*',
  '/api/v1/rounds',
  '/api/v1/rounds/*',
  '/api/v1/series',
  '/api/v1/model',
  '/api/v1/model/*',
  '/api/v1/prototypes',
  '/api/v1/prototypes/*',
  '/api/v1/predictions',
];
