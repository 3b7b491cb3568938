/**
 * Shows the board in Home Assistant: one retained description of the device and its entities, from which Home Assistant makes them by
 * itself (MQTT discovery of a whole device, since 2024.11). Values come from the board's state messages; where none comes for a
 * while, the entities become unavailable (`expire_after`), which is how a board that vanished looks.
 * Source: Home Assistant's documentation of the MQTT integration, "device discovery payload", "sensor", "binary sensor".
 */
import type { Log } from '../../core/base/log.ts';
import type { Transport } from '../../core/link/transport.ts';

export interface HomeAssistantOptions {
  /** Where Home Assistant looks for descriptions; its default is `homeassistant`. */
  readonly prefix: string;
  readonly fleet: string;
  readonly device: string;
  /** Names of the modalities that the board has. */
  readonly modalities: readonly string[];
  /** `Topics.state(device)`: JSON as `core/wire/board-state.ts` writes it. */
  readonly stateTopic: string;
  readonly stateEveryMs: number;
}

/** Values older than so many state messages are no longer believed. */
const BELIEVED_STATES = 3;

/** `<prefix>/device/<id>/config`; the id may hold letters, digits, `_` and `-` only. */
export function discoveryTopic({ prefix, fleet, device }: HomeAssistantOptions): string {
  return `${prefix}/device/${idOf(fleet, device)}/config`;
}

/** The description, to be sent as JSON. */
export function discoveryPayload(options: HomeAssistantOptions) {
  const { fleet, device, modalities, stateTopic, stateEveryMs } = options;
  const id = idOf(fleet, device);
  const shared = { expire_after: Math.ceil((BELIEVED_STATES * stateEveryMs) / 1000) };
  const percent = { ...shared, p: 'sensor', unit_of_measurement: '%', state_class: 'measurement' };
  const qualities = modalities.map((name) => {
    const value = `value_json.quality[${JSON.stringify(name)}]`;
    const template = `{{ (${value} * 100) | round(0) if ${value} is number else None }}`;
    const entity = { ...percent, name: `Quality ${name}`, value_template: template, icon: 'mdi:gauge' };
    return [`quality_${encoded(name)}`, { ...entity, entity_category: 'diagnostic' }] as const;
  });
  const components = {
    activity: {
      ...shared,
      p: 'sensor',
      name: 'Activity',
      value_template: '{{ value_json.activity }}',
      icon: 'mdi:run',
    },
    confidence: {
      ...percent,
      name: 'Confidence',
      value_template: '{{ (value_json.confidence * 100) | round(0) }}',
      icon: 'mdi:percent',
    },
    ...Object.fromEntries(qualities),
    problem: {
      ...shared,
      p: 'binary_sensor',
      name: 'Sensor fault',
      device_class: 'problem',
      value_template: "{{ 'ON' if value_json.faults else 'OFF' }}",
      entity_category: 'diagnostic',
    },
    connection: {
      ...shared,
      p: 'binary_sensor',
      name: 'Connection',
      device_class: 'connectivity',
      value_template: "{{ 'ON' if value_json.online else 'OFF' }}",
      entity_category: 'diagnostic',
    },
  };
  const named = Object.entries(components).map(([key, entity]) => [key, { ...entity, unique_id: `${id}_${key}` }]);
  return {
    dev: { ids: [id], name: device, mf: 'qqr-edge', mdl: `board of fleet ${fleet}` },
    o: { name: 'qqr-edge' },
    cmps: Object.fromEntries(named),
    state_topic: stateTopic,
    qos: 0,
  };
}

/**
 * Tells the description at each connection, and whenever Home Assistant says that it has started: a broker may have forgotten what was
 * retained. Rejects when the link refuses the subscription.
 */
export async function announceToHomeAssistant(
  transport: Transport,
  options: HomeAssistantOptions,
  log: Log,
): Promise<void> {
  const payload = new TextEncoder().encode(JSON.stringify(discoveryPayload(options)));
  const tell = () => {
    transport.publish(discoveryTopic(options), payload, { qos: 1, retain: true }).catch((error: unknown) => {
      log.debug({ error: String(error) }, 'Home Assistant not told');
    });
  };
  transport.onState((connected) => {
    if (connected) tell();
  });
  await transport.subscribe(`${options.prefix}/status`, ({ payload: birth, retained }) => {
    if (!retained && new TextDecoder().decode(birth) === 'online') tell();
  });
  tell();
}

function idOf(fleet: string, device: string): string {
  return `qqr_${encoded(fleet)}_${encoded(device)}`;
}

/** Letters, digits and `_` stay; everything else becomes its code point between hyphens, so that different names stay different. */
function encoded(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_]/gu, (char) => `-${char.codePointAt(0)?.toString(16)}-`);
}
