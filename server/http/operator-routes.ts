/** What changes something: pause and resume rounds, close one now, forget a board. Every one of them needs the token. */
import { type OpenAPIHono, z } from '@hono/zod-openapi';
import type { FleetWindow } from './fleet-window.ts';
import { jsonRoute } from './json-route.ts';
import { deviceName } from './parameters.ts';
import { problem } from './problem.ts';

const paused = z.strictObject({ isPaused: z.boolean() }).openapi('Paused');
const closing = z.strictObject({ round: z.int() }).openapi('Closing');
const forgotten = z.strictObject({ forgotten: z.string() }).openapi('Forgotten');

export function addOperatorRoutes(app: OpenAPIHono, { operator, view }: FleetWindow): void {
  const post = { method: 'post', tag: 'operator' } as const;
  const pause = { ...post, path: '/api/v1/rounds/pause', summary: 'Open no further round; the open one goes on' };
  jsonRoute(app, { ...pause, schema: paused }, () => {
    operator.pause();
    return { isPaused: true };
  });
  jsonRoute(app, { ...post, path: '/api/v1/rounds/resume', summary: 'Open rounds again', schema: paused }, () => {
    operator.resume();
    return { isPaused: false };
  });
  const close = {
    ...post,
    path: '/api/v1/rounds/current/close',
    summary: 'Close the open round with whoever has answered',
  };
  jsonRoute(app, { ...close, problems: ['not-now'], schema: closing }, () => {
    const round = view.round()?.round ?? 0;
    switch (operator.closeRound()) {
      case 'closing':
        return { round };
      case 'no-round':
        return problem('not-now', 'no round is open');
      case 'nobody-counted':
        return problem('not-now', 'no board has answered yet: a round without an update teaches nothing');
    }
  });
  const forget = {
    method: 'delete',
    tag: 'operator',
    path: '/api/v1/devices/{device}',
    summary: 'Forget a board that does not come back',
    params: { device: deviceName },
    problems: ['not-found', 'not-now'],
  } as const;
  jsonRoute(app, { ...forget, schema: forgotten }, ({ device }) => {
    switch (operator.forget(device)) {
      case 'forgotten':
        return { forgotten: device };
      case 'unknown':
        return problem('not-found', 'no board of this name has been heard of');
      case 'online':
        return problem('not-now', 'the board is online: stop it first');
    }
  });
}
