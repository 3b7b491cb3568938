/** What is wrong, in words, on top of the page: the worst first, alike ones of many boards in one sentence. */
import { element, setText } from './element.ts';
import { countText } from './figure-text.ts';
import type { Trouble } from './trouble.ts';

export interface IncidentStrip {
  readonly element: HTMLElement;
  /** @param troubles worst first @param boards how many there are */
  show(troubles: readonly Trouble[], boards: number): void;
}

const SHOWN = 6;
/** More boards than that with the same trouble are one incident. */
const TOGETHER = 3;

interface Incident {
  readonly severity: number;
  readonly devices: readonly string[];
  readonly text: string;
}

export function createIncidentStrip(): IncidentStrip {
  const heading = element('h2', { id: 'incidents-title' });
  const list = element('ul', { class: 'incidents' });
  const more = element('p', { class: 'muted' });
  const spoken = element('p', { class: 'unseen', role: 'status' });
  const strip = element(
    'section',
    { class: 'strip', 'aria-labelledby': 'incidents-title' },
    heading,
    list,
    more,
    spoken,
  );
  let shown = '';
  return {
    element: strip,
    show(troubles, boards) {
      const incidents = incidentsOf(troubles.filter(({ severity }) => severity > 1));
      const isWell = incidents.length === 0;
      const lines = incidents.slice(0, SHOWN);
      const key = JSON.stringify([lines, incidents.length, boards, isWell]);
      if (key === shown) return;
      shown = key;
      strip.classList.toggle('well', isWell);
      const failing = new Set(incidents.flatMap(({ devices }) => devices)).size;
      const calm = boards === 0 ? 'No board has been heard of yet' : 'All boards are well';
      setText(heading, isWell ? calm : `${countText(failing, 'board')} of ${boards} in trouble`);
      list.replaceChildren(...lines.map(lineOf));
      list.hidden = isWell;
      const rest = incidents.length - lines.length;
      setText(more, rest > 0 ? `and ${countText(rest, 'more incident')}; the list below has the worst first` : '');
      more.hidden = rest <= 0;
      setText(spoken, isWell ? calm : lines.map(({ devices, text }) => `${devices.join(', ')}: ${text}`).join('. '));
    },
  };
}

/** Troubles of more than three boards with one cause become one incident. */
function incidentsOf(troubles: readonly Trouble[]): Incident[] {
  const byKind = new Map<string, Trouble[]>();
  for (const trouble of troubles) byKind.set(trouble.kind, [...(byKind.get(trouble.kind) ?? []), trouble]);
  const told = new Set<string>();
  const incidents: Incident[] = [];
  for (const { kind, severity, device, text } of troubles) {
    const alike = byKind.get(kind) ?? [];
    if (alike.length <= TOGETHER) incidents.push({ severity, devices: [device], text });
    else if (!told.has(kind)) {
      told.add(kind);
      const missed = kind === 'silent' ? 'not counted in the newest rounds' : kind;
      incidents.push({ severity, devices: alike.map((one) => one.device), text: missed });
    }
  }
  return incidents;
}

function lineOf({ severity, devices, text }: Incident): HTMLElement {
  const [first = ''] = devices;
  const isOne = devices.length === 1;
  const name = isOne
    ? element('a', { href: `#/boards/${encodeURIComponent(first)}` }, first)
    : element('strong', {}, countText(devices.length, 'board'));
  const names = isOne ? null : element('span', { class: 'muted' }, ` (${devices.slice(0, 4).join(', ')}, …)`);
  return element(
    'li',
    { class: severity === 3 ? 'bad' : 'warn' },
    element('span', { class: 'mark', 'aria-hidden': 'true' }, severity === 3 ? '✕' : '!'),
    element('span', {}, name, `: ${text}`, names),
  );
}
