/**
 * A route is a description and a function from checked parameters to data or a problem; nothing else of it knows HTTP.
 * The description is both the check and the route's part of /openapi.json.
 */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { isProblem, PROBLEMS, type Problem, type ProblemCode, problemResponse, problemSchema } from './problem.ts';

export type DeepReadonly<T> = T extends (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

type Fields = Readonly<Record<string, z.ZodType>>;
type Values<F extends Fields> = { readonly [Key in keyof F]: z.output<F[Key]> };

export interface RouteDescription<P extends Fields, Q extends Fields> {
  readonly method?: 'get' | 'post' | 'delete';
  /** With parameters in braces. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly params?: P;
  readonly query?: Q;
  /** Besides `bad-request`, `storage-failed` and what guards say. */
  readonly problems?: readonly ProblemCode[];
}

/** Answers of every route that its guards or the store may give instead. */
const ALWAYS: readonly ProblemCode[] = ['bad-request', 'token-missing', 'wrong-host', 'storage-failed'];

export function jsonRoute<S extends z.ZodType, P extends Fields = object & Fields, Q extends Fields = object & Fields>(
  app: OpenAPIHono,
  description: RouteDescription<P, Q> & { readonly schema: S },
  handle: (input: Values<P> & Values<Q>) => DeepReadonly<z.output<S>> | Problem,
): void {
  const content = { 'application/json': { schema: description.schema } };
  register(app, description, content, (c, input) => {
    const answer = handle(input as Values<P> & Values<Q>);
    return isProblem(answer) ? problemResponse(c, answer) : c.json(answer as object, 200);
  });
}

/** Float32, little-endian, row-major. */
export function binaryRoute<P extends Fields = object & Fields, Q extends Fields = object & Fields>(
  app: OpenAPIHono,
  description: RouteDescription<P, Q>,
  handle: (input: Values<P> & Values<Q>) => Float32Array | Problem,
): void {
  const content = { 'application/octet-stream': { schema: z.string().openapi({ format: 'binary' }) } };
  register(app, description, content, (c, input) => {
    const answer = handle(input as Values<P> & Values<Q>);
    if (isProblem(answer)) return problemResponse(c, answer);
    const bytes = Uint8Array.from(new Uint8Array(answer.buffer, answer.byteOffset, answer.byteLength));
    return c.body(bytes, 200, { 'Content-Type': 'application/octet-stream' });
  });
}

/** Any other content: text, or a stream. */
export function plainRoute(
  app: OpenAPIHono,
  description: RouteDescription<Fields, Fields> & { readonly type: string },
  handle: (c: Context) => Response | Promise<Response>,
): void {
  register(app, description, { [description.type]: { schema: z.string() } }, handle);
}

function register<P extends Fields, Q extends Fields>(
  app: OpenAPIHono,
  { method = 'get', path, tag, summary, params, query, problems = [] }: RouteDescription<P, Q>,
  content: Record<string, { schema: z.ZodType }>,
  answer: (c: Context, input: Record<string, unknown>) => Response | Promise<Response>,
): void {
  const changing: readonly ProblemCode[] = method === 'get' ? [] : ['read-only'];
  const codes = [...ALWAYS, ...changing, ...problems];
  const route = createRoute({
    ...{ method, path, tags: [tag], summary },
    request: { ...(params && { params: z.object(params) }), ...(query && { query: z.object(query) }) },
    ...(method !== 'get' && { security: [{ bearer: [] }] }),
    responses: { 200: { description: summary, content }, ...problemsByStatus(codes) },
  });
  const handler = (c: Context) => {
    const valid = c.req as unknown as { valid(part: string): Record<string, unknown> };
    return answer(c, { ...(params && valid.valid('param')), ...(query && valid.valid('query')) });
  };
  app.openapi(route, handler as never);
}

function problemsByStatus(codes: readonly ProblemCode[]) {
  const content = { 'application/problem+json': { schema: problemSchema } };
  const byStatus: Record<number, { description: string; content: typeof content }> = {};
  for (const code of codes) {
    const { status, means } = PROBLEMS[code];
    const before = byStatus[status];
    byStatus[status] = { description: `${before ? `${before.description}; ` : ''}\`${code}\`: ${means}`, content };
  }
  return byStatus;
}
