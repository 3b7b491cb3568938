/**
 * A list of which only the rows near the window exist, in their order, so that 1000 boards cost what thirty do.
 * Invariant: a row belongs to one key as long as that is near the window, then serves another; what has the focus keeps it when rows
 * change places.
 */

export interface VirtualRow {
  readonly element: HTMLElement;
  /** Shows what this key is now; it may be another than before. @param index place in the list */
  show(key: string, index: number): void;
}

export interface VirtualList {
  readonly element: HTMLElement;
  /** Sets the keys in order; rows that stay are kept. */
  setKeys(keys: readonly string[]): void;
  /** Shows these keys anew, those that are in the window; all of them for null. */
  refresh(keys: ReadonlySet<string> | null): void;
  stop(): void;
}

/** Rows beyond the edges of the window. */
const AHEAD = 6;

/** @param rowHeight height of every row in px, as the stylesheet has it; asked again after the window has changed its size */
export function createVirtualList(createRow: () => VirtualRow, rowHeight: () => number): VirtualList {
  const element = document.createElement('div');
  element.className = 'virtual';
  element.setAttribute('role', 'rowgroup');
  const rows = new Map<string, VirtualRow>();
  const free: VirtualRow[] = [];
  let keys: readonly string[] = [];
  let height = rowHeight();
  let frame = 0;
  const range = () => {
    const top = -element.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / height) - AHEAD);
    return { first, last: Math.min(keys.length, Math.ceil((top + innerHeight) / height) + AHEAD) };
  };
  const place = () => {
    element.style.height = `${keys.length * height}px`;
    const { first, last } = range();
    const wanted = keys.slice(first, last);
    const isWanted = new Set(wanted);
    for (const [key, row] of rows) {
      if (isWanted.has(key)) continue;
      row.element.remove(); // else all others would change their places
      rows.delete(key);
      free.push(row);
    }
    const focused = document.activeElement;
    for (const [i, key] of wanted.entries()) {
      let row = rows.get(key);
      const isNew = row === undefined;
      row ??= free.pop() ?? createRow();
      rows.set(key, row);
      row.element.style.transform = `translateY(${(first + i) * height}px)`;
      if (element.children[i] !== row.element) element.insertBefore(row.element, element.children[i] ?? null);
      if (isNew || row.element.getAttribute('aria-rowindex') !== String(first + i + 2)) row.show(key, first + i);
    }
    if (focused !== document.activeElement && focused instanceof HTMLElement && element.contains(focused)) {
      focused.focus({ preventScroll: true });
    }
  };
  const soon = () => {
    if (frame !== 0) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      place();
    });
  };
  const resized = () => {
    height = rowHeight();
    soon();
  };
  addEventListener('scroll', soon, { passive: true });
  addEventListener('resize', resized);
  return {
    element,
    setKeys(next) {
      keys = next;
      soon();
    },
    refresh(changed) {
      for (const [key, row] of rows) {
        if (changed === null || changed.has(key)) row.show(key, Number(row.element.getAttribute('aria-rowindex')) - 2);
      }
    },
    stop() {
      cancelAnimationFrame(frame);
      removeEventListener('scroll', soon);
      removeEventListener('resize', resized);
    },
  };
}
