/**
 * The only file with a topic string. Every topic of a fleet starts with `qqr/v1/<fleet>/`; `v1` is the generation of this list.
 * What is said on these topics has a number of its own, `protocol` in every message: whoever speaks another one is refused by it.
 * The broker's access rules identify a board by its topic, therefore the device of an uplink message is read from here,
 * never from a payload. Filters: MQTT 3.1.1 §4.7.
 */
import { AppError } from '../base/errors.ts';
import { MAX_NAME_LENGTH } from './limits.ts';

export interface Topics {
  /** Retained `RoundPlan`, aggregator → boards. */
  readonly roundCurrent: string;
  /** `RoundClosed`, aggregator → boards. */
  readonly roundClosed: string;
  /** Retained `GlobalModel`, aggregator → boards. */
  readonly globalModel: string;
  /** Retained `GlobalPrototypes`, aggregator → boards. */
  readonly globalPrototypes: string;
  /** `Update`, board → aggregator. Throws AppError 'config-invalid' on a bad device name, as `receipt` and `status` do. */
  up(device: string): string;
  readonly upFilter: string;
  /** `Receipt`, aggregator → one board. */
  receipt(device: string): string;
  /** Retained `DeviceStatus`, board → aggregator; the board's last will. */
  status(device: string): string;
  readonly statusFilter: string;
  /** `BoardState` as JSON, board → whoever looks; not retained. */
  state(device: string): string;
  readonly stateFilter: string;
  /** Text, people → one board: the activity from now on, empty for none. */
  label(device: string): string;
  /** The device of an `up`, `status`, `state` or `receipt` topic of this fleet; null for any other topic. */
  deviceOf(topic: string): string | null;
}

/** All topics of one fleet. Throws AppError 'config-invalid' when the fleet's name cannot stand in a topic. */
export function topics(fleet: string): Topics {
  const base = `qqr/v1/${checkedName(fleet, 'fleet')}`;
  const perDevice = new RegExp(`^${base.replaceAll('.', '\\.')}/(?:up|status|state|receipt)/([^/]+)$`);
  return {
    roundCurrent: `${base}/round/current`,
    roundClosed: `${base}/round/closed`,
    globalModel: `${base}/global/model`,
    globalPrototypes: `${base}/global/prototypes`,
    up: (device) => `${base}/up/${checkedName(device, 'device')}`,
    upFilter: `${base}/up/+`,
    receipt: (device) => `${base}/receipt/${checkedName(device, 'device')}`,
    status: (device) => `${base}/status/${checkedName(device, 'device')}`,
    statusFilter: `${base}/status/+`,
    state: (device) => `${base}/state/${checkedName(device, 'device')}`,
    stateFilter: `${base}/state/+`,
    label: (device) => `${base}/label/${checkedName(device, 'device')}`,
    deviceOf(topic) {
      const device = perDevice.exec(topic)?.[1];
      return device !== undefined && isName(device) ? device : null;
    },
  };
}

/** 1 to 64 of `A-Z a-z 0-9 . _ -`: safe in a topic, a file name, a URL and a metric's label. */
export function isName(text: string): boolean {
  return text.length <= MAX_NAME_LENGTH && /^[A-Za-z0-9._-]+$/.test(text);
}

function checkedName(text: string, what: 'fleet' | 'device'): string {
  if (isName(text)) return text;
  throw new AppError('config-invalid', `${JSON.stringify(text)} cannot be the name of a ${what}`, {
    where: what,
    hint: `use 1 to ${MAX_NAME_LENGTH} letters, digits, dots, underscores or hyphens`,
  });
}
