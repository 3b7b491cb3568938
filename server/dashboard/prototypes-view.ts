/** The map of prototypes: per modality where each class lies (two principal axes), and how far classes are apart, across modalities too. */
import { getJson } from './api.ts';
import { element, setText, svgElement } from './element.ts';
import { percentText } from './figure-text.ts';
import type { FleetModel } from './fleet-model.ts';
import { distance, principalAxes } from './principal-axes.ts';
import { startReading } from './reading.ts';
import { modalityText } from './trouble.ts';
import type { View } from './view.ts';

interface Prototype {
  readonly modality: string;
  readonly class: string;
  readonly weight: number;
  readonly values: readonly number[];
}

interface PrototypesAnswer {
  readonly version: number;
  readonly modalities: readonly string[];
  readonly classes: readonly string[];
  readonly dim: number;
  readonly prototypes: readonly Prototype[];
}

const SIDE = 340;
const EDGE = 40;

export function createPrototypesView(_model: FleetModel): View {
  const lead = element('p', { class: 'lead' });
  const maps = element('div', { class: 'plots' });
  const pairs = element('select', { id: 'pair' });
  const matrix = element('div', { class: 'matrix' });
  let shown: PrototypesAnswer | null = null;
  const showPair = () => {
    if (shown === null) return;
    const [rows = '', columns = ''] = pairs.value.split('|');
    matrix.replaceChildren(distanceTable(shown, rows, columns));
  };
  const reading = startReading(async (signal) => {
    const answer = await getJson<PrototypesAnswer>('prototypes', signal);
    shown = answer;
    const isEmpty = answer.prototypes.length === 0;
    const words = `Model ${answer.version}: the centre of each class in ${answer.dim} dimensions, seen along the two in which a sensor's classes differ most.`;
    setText(
      lead,
      isEmpty
        ? 'No prototypes yet: the first training round makes them.'
        : `${words} Classes that lie together are mistaken for each other.`,
    );
    maps.replaceChildren(...answer.modalities.map((name) => mapOf(name, answer)));
    offerPairs(pairs, answer.modalities);
    distances.hidden = isEmpty;
    showPair();
  });
  pairs.addEventListener('input', showPair);
  const choose = element('div', { class: 'controls' }, element('label', { for: 'pair' }, 'Between'), pairs);
  const note =
    'On the diagonal: how well two sensors agree on a class. The smaller, the better one stands in for the other.';
  const distances = element(
    'section',
    { hidden: true },
    element('h2', {}, 'Distances'),
    choose,
    element('p', { class: 'muted' }, note),
    matrix,
  );
  return {
    title: 'Prototypes',
    element: element('div', {}, lead, reading.element, maps, distances),
    update({ closedRounds, isAll }) {
      if (closedRounds.length > 0 || isAll) reading.again();
    },
    tick: () => undefined,
    stop: () => reading.stop(),
  };
}

function offerPairs(pairs: HTMLSelectElement, modalities: readonly string[]): void {
  if (pairs.options.length > 0) return;
  const found = modalities.flatMap((a, i) => modalities.slice(i + 1).map((b) => [a, b] as const));
  for (const [a, b] of [...found, ...modalities.map((a) => [a, a] as const)]) {
    const text = a === b ? `within the ${modalityText(a)}` : `${modalityText(a)} and ${modalityText(b)}`;
    pairs.append(element('option', { value: `${a}|${b}` }, text));
  }
}

function mapOf(modality: string, { prototypes, classes }: PrototypesAnswer): HTMLElement {
  const own = prototypes.filter((one) => one.modality === modality);
  const { places, explained } = principalAxes(own.map(({ values }) => values));
  const reach = Math.max(1e-9, ...places.flat().map(Math.abs));
  const at = (value: number) => SIDE / 2 + (value / reach) * (SIDE / 2 - EDGE);
  const heaviest = Math.max(1, ...own.map(({ weight }) => weight));
  const marks = own.flatMap(({ weight, ...prototype }, i) => {
    const [x = 0, y = 0] = places[i] ?? [];
    const colour = classes.indexOf(prototype.class) % 8;
    const r = 5 + 5 * Math.sqrt(weight / heaviest);
    const isRight = x > 0.35 * reach;
    const label = { x: at(x) + (isRight ? -r - 4 : r + 4), y: at(-y) + 4, 'text-anchor': isRight ? 'end' : 'start' };
    return [
      svgElement('circle', { class: `run-${colour}`, cx: at(x), cy: at(-y), r }),
      svgElement('text', label, prototype.class),
    ];
  });
  const axis = { class: 'grid', x1: 0, x2: SIDE, y1: SIDE / 2, y2: SIDE / 2 };
  const across = { class: 'grid', y1: 0, y2: SIDE, x1: SIDE / 2, x2: SIDE / 2 };
  const label = `${modalityText(modality)}: ${own.map((one) => one.class).join(', ')}`;
  const picture = svgElement(
    'svg',
    { class: 'map', viewBox: `0 0 ${SIDE} ${SIDE}`, role: 'img', 'aria-label': label },
    ...[svgElement('line', axis), svgElement('line', across), ...marks],
  );
  const share = percentText(explained[0] + explained[1]);
  const note = element('p', { class: 'muted' }, `The two axes hold ${share} of the variance. Larger: more windows.`);
  return element('figure', { class: 'plot' }, element('h2', {}, modalityText(modality)), note, picture);
}

function distanceTable({ classes, prototypes }: PrototypesAnswer, rows: string, columns: string): HTMLElement {
  const of = (modality: string, name: string) =>
    prototypes.find((one) => one.modality === modality && one.class === name)?.values;
  const cells = classes.map((row) =>
    classes.map((column) => {
      const [a, b] = [of(rows, row), of(columns, column)];
      return a === undefined || b === undefined ? null : distance(a, b);
    }),
  );
  const most = Math.max(1e-9, ...cells.flat().map((value) => value ?? 0));
  const head = element('tr', {}, element('td', {}), ...classes.map((name) => element('th', { scope: 'col' }, name)));
  const lines = classes.map((name, r) =>
    element('tr', {}, element('th', { scope: 'row' }, name), ...(cells[r] ?? []).map((value) => shaded(value, most))),
  );
  const caption = `${modalityText(rows)} down, ${modalityText(columns)} across`;
  const table = element(
    'table',
    { class: 'heat' },
    element('caption', { class: 'muted' }, caption),
    element('thead', {}, head),
    element('tbody', {}, ...lines),
  );
  return element('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Distances' }, table);
}

/** The nearer, the stronger. */
function shaded(value: number | null, most: number): HTMLElement {
  const cell = element('td', { class: 'number' }, value === null ? '–' : value.toFixed(2));
  if (value !== null) cell.style.setProperty('--near', `${Math.round(45 * (1 - value / most))}%`);
  return cell;
}
