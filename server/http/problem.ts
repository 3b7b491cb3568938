/**
 * What the API says when it cannot do what was asked: problem details (RFC 9457) with a code from a closed list.
 * Handlers return a problem as a value; nothing is thrown for what a stranger sends.
 */
import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';

/** Stable code → status and what it means (docs/http-api.md). */
export const PROBLEMS = {
  'bad-request': { status: 400, means: 'a parameter is not understood or out of range' },
  'token-missing': { status: 401, means: 'a bearer token is needed, or the one given is wrong' },
  'read-only': { status: 403, means: 'nothing can be changed: the settings name no token' },
  'wrong-host': { status: 421, means: 'the request is meant for another host' },
  'not-found': { status: 404, means: 'there is no such route, board or round' },
  'not-now': { status: 409, means: 'not possible in the present state' },
  'too-large': { status: 413, means: 'the body of the request is too large' },
  'not-ready': { status: 503, means: 'an update could not be counted now' },
  'too-many': { status: 503, means: 'as many listeners as there may be are connected' },
  'storage-failed': { status: 503, means: 'the round store cannot be read or written' },
  'internal': { status: 500, means: 'a defect of the program itself' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

export interface Problem {
  readonly problem: ProblemCode;
  /** For people. */
  readonly detail: string;
}

export const problemSchema = z
  .strictObject({
    type: z.string().openapi({ description: 'urn:qqr-edge:problem:CODE' }),
    title: z.string(),
    status: z.int(),
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
    detail: z.string(),
  })
  .openapi('Problem');

export function problem(code: ProblemCode, detail: string): Problem {
  return { problem: code, detail };
}

export function isProblem(answer: unknown): answer is Problem {
  return typeof answer === 'object' && answer !== null && 'problem' in answer;
}

export function problemResponse(c: Context, { problem: code, detail }: Problem): Response {
  const { status, means } = PROBLEMS[code];
  const body = { type: `urn:qqr-edge:problem:${code}`, title: means, status, code, detail };
  const challenge = code === 'token-missing' ? { 'WWW-Authenticate': 'Bearer' } : {};
  return c.body(JSON.stringify(body), status, { 'Content-Type': 'application/problem+json', ...challenge });
}
