/** What a page of the dashboard is: made when its address is opened, told of changes, ended when another is opened. */
import type { FleetModel } from './fleet-model.ts';
import type { Changes } from './frame-changes.ts';

export interface View {
  readonly title: string;
  readonly element: HTMLElement;
  /** At most once per animation frame. */
  update(changes: Changes): void;
  /** Ages on the page are out of date: once a second. */
  tick(): void;
  stop(): void;
}

/** @param argument what follows the view's name in the address: a board, a round */
export type CreateView = (model: FleetModel, argument: string) => View;
