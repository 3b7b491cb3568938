/** The overview: what is wrong in words, the fleet in figures, and every board in a row, the worst first. */

import { HISTORY } from './apply-event.ts';
import { createBoardRow } from './board-row.ts';
import { element, setAttribute, setText } from './element.ts';
import { bytesText, percentText } from './figure-text.ts';
import type { FleetModel } from './fleet-model.ts';
import type { Changes } from './frame-changes.ts';
import { createIncidentStrip } from './incident-strip.ts';
import { createPaced } from './paced.ts';
import { FAIR_QUALITY, modalityText, type Trouble, troublesOf } from './trouble.ts';
import type { View } from './view.ts';
import { createVirtualList } from './virtual-list.ts';

/** The whole (incidents, figures, order) is shown anew at most so often; rows as soon as they change. */
const PACE_MS = 200;

const PHONE = '(max-width: 760px)';

/** pi-2 before pi-10. */
const BY_NAME = new Intl.Collator('en', { numeric: true });

type Order = 'trouble' | 'name' | 'seen' | 'bytes' | 'backlog';

const ORDERS: Readonly<Record<Order, string>> = {
  trouble: 'trouble first',
  name: 'name',
  seen: 'heard longest ago',
  backlog: 'largest backlog',
  bytes: 'most bytes',
};

export function createFleetView(model: FleetModel): View {
  const modalities = model.now().fleet.spec.modalities.map(({ name }) => name);
  const strip = createIncidentStrip();
  const figures = createFigures(model);
  const controls = createControls();
  const phone = matchMedia(PHONE);
  const rowHeight = () => (phone.matches ? 76 + 34 * modalities.length : 52);
  const list = createVirtualList(() => createBoardRow(modalities, (device) => model.boards().get(device)), rowHeight);
  const table = createTable(modalities, list.element);
  const none = element('p', { class: 'muted none', hidden: true });
  const troubles = new Map<string, readonly Trouble[]>();
  let order: readonly string[] | null = null;
  let names: readonly string[] = [];
  const listNames = () => {
    names = [...model.boards().keys()].sort(BY_NAME.compare);
  };
  const judge = (devices: Iterable<string>) => {
    const { lastRound } = model.now().fleet;
    for (const device of devices) {
      const board = model.boards().get(device);
      if (board === undefined) troubles.delete(device);
      else troubles.set(device, troublesOf(board, HISTORY, lastRound, Date.now()));
    }
  };
  const sort = () => {
    const next = sorted(model, names, troubles, controls.chosen());
    if (next.length === order?.length && next.every((device, i) => device === order?.[i])) return;
    order = next;
    list.setKeys(order);
    setAttribute(table, 'aria-rowcount', String(order.length + 1));
    none.hidden = order.length > 0;
    setText(none, model.boards().size === 0 ? 'Boards appear here as soon as they connect.' : 'No board is like that.');
  };
  const show = () => {
    const all = [...troubles.values()].flat();
    strip.show(all.sort(worstFirst), model.boards().size);
    figures.show();
    sort();
  };
  controls.onChange(() => {
    order = null;
    sort();
    list.refresh(null);
  });
  const showing = createPaced(show, PACE_MS);
  listNames();
  judge(names);
  show();
  return {
    title: 'Fleet',
    element: element('div', { class: 'fleet' }, strip.element, figures.element, controls.element, table, none),
    update({ isAll, isList, boards }: Changes) {
      if (isAll) troubles.clear();
      if (isAll || isList) listNames();
      judge(isAll ? names : boards);
      showing.soon();
      list.refresh(isAll ? null : boards);
    },
    tick() {
      judge(names.filter((device) => model.boards().get(device)?.state === 'offline'));
      showing.soon();
      list.refresh(null);
    },
    stop() {
      showing.stop();
      list.stop();
    },
  };
}

function worstFirst(a: Trouble, b: Trouble): number {
  return b.severity - a.severity || b.rounds - a.rounds || BY_NAME.compare(a.device, b.device);
}

function sorted(
  model: FleetModel,
  names: readonly string[],
  troubles: ReadonlyMap<string, readonly Trouble[]>,
  { order, filter, isTroubleOnly }: ReturnType<ReturnType<typeof createControls>['chosen']>,
): readonly string[] {
  const boards = model.boards();
  const worst = (device: string) => troubles.get(device)?.[0];
  const hasWords = (device: string) => {
    const words = troubles.get(device)?.map(({ text }) => text);
    return `${device} ${boards.get(device)?.state} ${words}`.toLowerCase().includes(filter);
  };
  const shown = names.filter(
    (device) => (filter === '' || hasWords(device)) && (!isTroubleOnly || worst(device) !== undefined),
  );
  if (order === 'name') return shown;
  const poorest = (device: string) => {
    const qualities = boards.get(device)?.modalities.flatMap(({ quality }) => quality ?? []) ?? [];
    return Math.min(1, ...qualities);
  };
  const keys: Readonly<Record<Exclude<Order, 'name'>, (device: string) => number>> = {
    trouble(device) {
      const poor = poorest(device);
      const { severity = 0, rounds = 0 } = worst(device) ?? {};
      return 1000 * severity + rounds + (poor < FAIR_QUALITY ? 1 - poor : 0);
    },
    seen: (device) => -(boards.get(device)?.lastSeenMs ?? 0),
    bytes: (device) => boards.get(device)?.bytes ?? 0,
    backlog: (device) => boards.get(device)?.backlog ?? 0,
  };
  const key = new Map(shown.map((device) => [device, keys[order](device)]));
  return shown.sort((a, b) => (key.get(b) ?? 0) - (key.get(a) ?? 0)); // stable: by name among equals
}

function createTable(modalities: readonly string[], rows: HTMLElement): HTMLElement {
  const head = (text: string, name = '') => element('div', { role: 'columnheader', class: name }, text);
  const header = element(
    'div',
    { class: 'row head', role: 'row', 'aria-rowindex': 1 },
    ...[head('Board', 'who'), head('Round', 'round')],
    ...modalities.map((name) => head(modalityText(name), 'quality')),
    ...[head('Accuracy', 'number'), head('Backlog', 'number'), head('Sent', 'number')],
  );
  const table = element('div', { class: 'boards', role: 'table', 'aria-label': 'Boards' });
  table.style.setProperty('--modalities', String(modalities.length));
  table.append(element('div', { role: 'rowgroup' }, header), rows);
  return table;
}

function createControls() {
  const filter = element('input', {
    type: 'search',
    id: 'filter',
    placeholder: 'Name or trouble',
    autocomplete: 'off',
  });
  const order = element('select', { id: 'order' });
  for (const [value, text] of Object.entries(ORDERS)) order.append(element('option', { value }, text));
  const only = element('input', { type: 'checkbox', id: 'trouble-only' });
  const made = element(
    'div',
    { class: 'controls', role: 'search' },
    element('label', { for: 'filter' }, 'Filter'),
    filter,
    element('label', { for: 'order' }, 'Sort by'),
    order,
    element('label', { class: 'check', for: 'trouble-only' }, only, 'only boards in trouble'),
  );
  return {
    element: made,
    chosen() {
      const words = filter.value.trim().toLowerCase();
      return { order: order.value as Order, filter: words, isTroubleOnly: only.checked };
    },
    onChange(listener: () => void) {
      for (const input of [filter, order, only]) input.addEventListener('input', listener);
    },
  };
}

function createFigures(model: FleetModel) {
  const figure = (label: string) => {
    const value = element('dd', {});
    const detail = element('dd', { class: 'muted' });
    return { value, detail, element: element('div', {}, element('dt', {}, label), value, detail) };
  };
  const [boards, round, accuracy, bytes] = [figure('Online'), figure('Round'), figure('Accuracy'), figure('Sent')];
  const progress = element('progress', { 'aria-label': 'boards that have answered', max: 1, value: 0 });
  round.element.append(element('dd', {}, progress));
  const made = element('dl', { class: 'figures' }, ...[boards, round, accuracy, bytes].map((one) => one.element));
  return {
    element: made,
    show() {
      const { fleet } = model.now();
      const all = [...model.boards().values()];
      const online = all.filter(({ state }) => state === 'online').length;
      setText(boards.value, `${online} of ${all.length}`);
      const offline = all.filter(({ state }) => state === 'offline').length;
      setText(boards.detail, offline === 0 ? 'boards' : `${offline} offline`);
      const open = fleet.round;
      setText(round.value, String(open?.round ?? fleet.lastRound ?? '–'));
      const between = fleet.isPaused ? 'paused' : 'between rounds';
      setText(round.detail, open === null ? between : `${open.counted} of ${open.asked} answered`);
      progress.max = Math.max(1, open?.asked ?? 1);
      progress.value = open?.counted ?? progress.max;
      const known = all.flatMap((board) => board.accuracy ?? []);
      setText(
        accuracy.value,
        percentText(known.length === 0 ? null : known.reduce((a, b) => a + b, 0) / known.length, 1),
      );
      setText(accuracy.detail, 'before training, newest updates');
      const { payloadBytes, fp32Bytes } = fleet.totals;
      setText(bytes.value, bytesText(payloadBytes));
      setText(
        bytes.detail,
        payloadBytes === 0 ? 'in closed rounds' : `${(fp32Bytes / payloadBytes).toFixed(1)} times less than float32`,
      );
    },
  };
}
