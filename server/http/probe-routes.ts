/** For machines that watch: `/healthz` (the process lives), `/readyz` (an update could be counted now), `/metrics`. */
import { type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Clock } from '../../core/base/clock.ts';
import type { FleetWindow } from './fleet-window.ts';
import { jsonRoute, plainRoute } from './json-route.ts';
import type { Metrics } from './metrics.ts';
import { problem } from './problem.ts';

/** A probe of the store is a write: not more often than this. */
const PROBE_EVERY_MS = 2000;

export function addProbeRoutes(app: OpenAPIHono, window: FleetWindow, metrics: Metrics, clock: Clock): void {
  const alive = z.strictObject({ status: z.string() }).openapi('Alive');
  jsonRoute(app, { path: '/healthz', tag: 'probes', summary: 'The process lives', schema: alive }, () => ({
    status: 'ok',
  }));
  let probedAt = Number.NEGATIVE_INFINITY;
  const ready = {
    path: '/readyz',
    tag: 'probes',
    summary: 'The store can be written and the link is up',
    schema: alive,
  };
  jsonRoute(app, { ...ready, problems: ['not-ready'] }, () => {
    if (!window.view.isLinkUp()) return problem('not-ready', 'the link to the broker is down');
    if (clock.nowMs() - probedAt >= PROBE_EVERY_MS) {
      window.probeStore(); // throws what becomes `storage-failed`
      probedAt = clock.nowMs();
    }
    return { status: 'ok' };
  });
  const scrape = { path: '/metrics', tag: 'probes', summary: "Prometheus' text format", type: 'text/plain' };
  plainRoute(app, scrape, async (c) => c.body(await metrics.text(), 200, { 'Content-Type': metrics.contentType }));
}
