/**
 * Who may say and hear what on a fleet's topics: one table, pure. The embedded broker asks it; Mosquitto's access file says the same.
 * A user is known by a name that the broker has checked (certificate or password), never by a client id or a payload.
 * Invariant: a board's patterns hold no name but its own, so that it reaches no other board's update, status, receipt or label, and
 * cannot say what only the aggregator says. Source: filters are MQTT 3.1.1 §4.7.
 */
import { MAX_NAME_LENGTH } from './limits.ts';
import { isName, type Topics } from './topics.ts';

/** The user that leads the rounds. No board can have this name. */
export const AGGREGATOR = 'aggregator';
/** The user for people: tells boards what their owners do, and sees all that goes to every board. */
export const OPERATOR = 'operator';
/** The user that only looks on. */
export const DASHBOARD = 'dashboard';
/** Users that are no boards, and may be connected several times. */
export const PEOPLE: readonly string[] = [OPERATOR, DASHBOARD];

interface Rights {
  /** Topics that it may publish; `+` stands for one level. */
  readonly publish: readonly string[];
  /** Widest filters that it may subscribe to, and what it may be sent. */
  readonly subscribe: readonly string[];
}

/** The table. Null for a name that nobody can have. */
function rightsOf(topics: Topics, user: string): Rights | null {
  const { roundCurrent, roundClosed, globalModel, globalPrototypes, upFilter, statusFilter, stateFilter } = topics;
  const told = [roundCurrent, roundClosed, globalModel, globalPrototypes];
  if (!isName(user)) return null;
  switch (user) {
    case AGGREGATOR:
      return { publish: [...told, anyDevice(topics.receipt)], subscribe: [upFilter, statusFilter, stateFilter] };
    case OPERATOR:
      return { publish: [anyDevice(topics.label)], subscribe: [...told, statusFilter, stateFilter] };
    case DASHBOARD:
      return { publish: [], subscribe: [statusFilter, stateFilter] };
    default:
      return {
        publish: [topics.up(user), topics.status(user), topics.state(user)],
        subscribe: [...told, topics.receipt(user), topics.label(user)],
      };
  }
}

/** True when `user` may publish to `topic`, which holds no wildcard. */
export function mayPublish(topics: Topics, user: string, topic: string): boolean {
  if (/[+#]/.test(topic)) return false;
  return rightsOf(topics, user)?.publish.some((pattern) => covers(pattern, topic)) ?? false;
}

/** True when all that `filter` can bring is for `user`. For a topic without wildcards: true when `user` may be sent it. */
export function maySubscribe(topics: Topics, user: string, filter: string): boolean {
  return rightsOf(topics, user)?.subscribe.some((pattern) => covers(pattern, filter)) ?? false;
}

/** True when every topic that matches `filter` matches `pattern`, which has no `#`. */
function covers(pattern: string, filter: string): boolean {
  const allowed = pattern.split('/');
  const asked = filter.split('/');
  if (allowed.length !== asked.length) return false;
  return allowed.every((level, i) => (level === '+' ? asked[i] !== '#' : level === asked[i]));
}

const PLACEHOLDER = 'x'.repeat(MAX_NAME_LENGTH);

function anyDevice(topicOf: (device: string) => string): string {
  return topicOf(PLACEHOLDER).replace(PLACEHOLDER, '+');
}
