/** A plain table: a heading per column, a row per line; wide ones scroll by themselves, never the page. */
import { type Child, element } from './element.ts';

export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
}

export interface Table {
  readonly element: HTMLElement;
  show(lines: readonly (readonly Child[])[]): void;
}

export function createTable(label: string, columns: readonly Column[]): Table {
  const head = columns.map(({ title, isNumber }) =>
    element('th', { scope: 'col', class: isNumber ? 'number' : null }, title),
  );
  const body = element('tbody', {});
  const table = element('table', {}, element('thead', {}, element('tr', {}, ...head)), body);
  const scroll = element('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': label }, table);
  return {
    element: scroll,
    show(lines) {
      const rows = lines.map((cells) =>
        element(
          'tr',
          {},
          ...cells.map((cell, i) => element('td', { class: columns[i]?.isNumber ? 'number' : null }, cell)),
        ),
      );
      body.replaceChildren(...rows);
    },
  };
}
