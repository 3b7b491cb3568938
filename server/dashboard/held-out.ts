/** What the model says of the held-out windows: how often it takes which class for which, and the windows where it is furthest off. */
import { element, setText } from './element.ts';
import { percentText } from './figure-text.ts';
import { createTable } from './table.ts';

export interface PredictionsAnswer {
  readonly version: number;
  readonly classes: readonly string[];
  readonly windows: number;
  readonly accuracy: number;
  readonly unsure: number;
  readonly confusion: readonly (readonly number[])[];
  readonly examples: readonly Example[];
}

interface Example {
  readonly window: number;
  readonly label: string;
  readonly predicted: string | null;
  readonly confidence: number;
}

export interface HeldOut {
  /** Hidden until there is something to show. */
  readonly element: HTMLElement;
  show(answer: PredictionsAnswer): void;
}

/** Windows, spread over all of them, that the worst are taken from. */
export const EXAMPLES_LOOKED_AT = 200;

const WORST_SHOWN = 12;
/** Right, and at least so sure: nothing to look at. */
const SURE = 0.8;

export function createHeldOut(): HeldOut {
  const summary = element('p', {});
  const matrix = element('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Predictions' });
  const about = element('p', { class: 'muted' });
  const columns = [
    { title: 'Window', isNumber: true },
    { title: 'It was' },
    { title: 'The model says' },
    { title: 'Confidence', isNumber: true },
  ];
  const worst = createTable('Worst predictions', columns);
  const section = element(
    'section',
    { class: 'held-out', hidden: true },
    ...[element('h2', {}, 'Held-out windows'), summary, matrix],
    ...[element('h2', {}, 'Furthest off'), about, worst.element],
  );
  return {
    element: section,
    show(answer) {
      const { version, accuracy, windows, unsure, examples } = answer;
      section.hidden = false;
      setText(
        summary,
        `Model ${version} is right in ${percentText(accuracy, 1)} of ${windows.toLocaleString('en')} held-out windows, and unsure in ${unsure}.`,
      );
      matrix.replaceChildren(confusionTable(answer));
      const off = furthestOff(examples);
      const isNone = off.length === 0;
      const words = `Of ${examples.length} windows ${off.length} are wrong, or right and less sure than ${percentText(SURE)}. The worst first:`;
      setText(
        about,
        isNone ? `None of ${examples.length} windows is wrong, or less sure than ${percentText(SURE)}.` : words,
      );
      worst.element.hidden = isNone;
      worst.show(off.slice(0, WORST_SHOWN).map(lineOf));
    },
  };
}

/** Wrong ones by falling confidence, then right ones that are not sure by rising. */
function furthestOff(examples: readonly Example[]): readonly Example[] {
  const off = ({ label, predicted, confidence }: Example) => (label === predicted ? -1 - confidence : confidence);
  return examples.filter((one) => off(one) > -1 - SURE).sort((a, b) => off(b) - off(a) || a.window - b.window);
}

function lineOf({ window, label, predicted, confidence }: Example) {
  const said = element('span', { class: predicted === label ? null : 'bad' }, predicted ?? 'does not know');
  return [window, label, said, percentText(confidence)];
}

function confusionTable({ classes, confusion }: PredictionsAnswer): HTMLElement {
  const head = element('tr', {}, element('td', {}), ...classes.map((name) => element('th', { scope: 'col' }, name)));
  const lines = confusion.map((row, r) => {
    const sum = Math.max(
      1,
      row.reduce((a, b) => a + b, 0),
    );
    const cells = row.map((count) => {
      const cell = element('td', { class: 'number' }, count);
      cell.style.setProperty('--near', `${Math.round((45 * count) / sum)}%`);
      return cell;
    });
    return element('tr', {}, element('th', { scope: 'row' }, classes[r] ?? ''), ...cells);
  });
  const caption = element('caption', { class: 'muted' }, 'what it was down, what the model said across');
  return element('table', { class: 'heat' }, caption, element('thead', {}, head), element('tbody', {}, ...lines));
}
