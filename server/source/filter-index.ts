/**
 * Which sessions want a topic. Nearly all filters of a fleet are plain topics: these are looked up; filters with wildcards are tried
 * one after the other. Source: MQTT 3.1.1 §4.7.
 */
import { matchesFilter } from '../../core/link/topic-filter.ts';

export interface Subscriber {
  readonly clientId: string;
  /** The filter by which it matched. */
  readonly topic: string;
  readonly qos: number;
}

export interface FilterIndex {
  add(clientId: string, filter: string, qos: number): void;
  remove(clientId: string, filter: string): void;
  /** Those above QoS 0, each client once. */
  match(topic: string): Subscriber[];
  /** Filters above QoS 0. */
  count(): number;
}

export function createFilterIndex(): FilterIndex {
  const plain = new Map<string, Map<string, number>>();
  const wild = new Map<string, Map<string, number>>();
  const kindOf = (filter: string) => (/[+#]/.test(filter) ? wild : plain);
  const remove = (clientId: string, filter: string) => {
    const clients = kindOf(filter).get(filter);
    clients?.delete(clientId);
    if (clients?.size === 0) kindOf(filter).delete(filter);
  };
  return {
    add(clientId, filter, qos) {
      if (qos === 0) return remove(clientId, filter);
      const clients = kindOf(filter).get(filter) ?? new Map<string, number>();
      kindOf(filter).set(filter, clients.set(clientId, qos));
    },
    remove,
    match(topic) {
      const found = new Map<string, Subscriber>();
      const take = (filter: string, clients: ReadonlyMap<string, number> | undefined) => {
        for (const [clientId, qos] of clients ?? []) found.set(clientId, { clientId, topic: filter, qos });
      };
      for (const [filter, clients] of wild) if (matchesFilter(filter, topic)) take(filter, clients);
      take(topic, plain.get(topic));
      return [...found.values()];
    },
    count: () => [...plain.values(), ...wild.values()].reduce((sum, clients) => sum + clients.size, 0),
  };
}
