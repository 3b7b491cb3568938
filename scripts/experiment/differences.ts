/** Paired differences to a baseline as a table with whiskers: the 95 % t-interval against a line at 0. */
import { html, type Markup, NOTHING } from '../report/markup.ts';
import { runClass, runSwatch } from '../report/run-key.ts';
import { differenceText } from './markdown.ts';
import { type Estimate, isClear } from './statistics.ts';
import type { FigureSummary, MetricSummary } from './summary.ts';

const WIDTH = 240;
const MIDDLE = 10;

interface Row {
  readonly series: string;
  readonly place: string;
  readonly difference: Estimate;
}

/** Nothing where a figure has no baseline, or no series shares a seed with it. */
export function differencesTable({ figure, series }: FigureSummary, summary: MetricSummary): Markup {
  const { metric, cells, overall } = summary;
  if (overall.length === 0) return NOTHING;
  const each: Row[] = cells.flatMap(({ series: name, x, difference }) =>
    difference === null ? [] : [{ series: name, place: `${figure.xLabel} ${x}`, difference }],
  );
  const all: Row[] = overall.map(({ series: name, difference }) => ({ series: name, place: 'all places', difference }));
  const reach =
    Math.max(...[...all, ...each].map(({ difference: { mean, half } }) => Math.abs(mean) + (half ?? 0))) || 1;
  const row = ({ series: name, place, difference }: Row) => {
    const index = series.indexOf(name);
    return html`<tr><th scope="row">${runSwatch(index)} ${name}</th><td class="prose">${place}</td><td${isClear(difference) ? html` class="best"` : NOTHING}>${differenceText(difference, metric)}</td><td class="${runClass(index)}">${whisker(difference, reach)}</td></tr>`;
  };
  const table = (rows: readonly Row[], label: string) =>
    html`<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table><thead><tr><th scope="col">series</th><th scope="col">where</th><th scope="col">difference [95 %]</th><td></td></tr></thead><tbody>${rows.map(row)}</tbody></table></div>`;
  const title = `${figure.title}, ${metric.label}: differences`;
  return html`
<h4>Against ${figure.baseline ?? ''}, seed by seed</h4>
${table(all, title)}
${figure.x === 'curve' || each.length <= overall.length ? NOTHING : html`<details><summary>At every place</summary>${table(each, `${title}, at every place`)}</details>`}`;
}

function whisker({ mean, half }: Estimate, reach: number): Markup {
  const x = (value: number) => (WIDTH / 2 + (value / reach) * (WIDTH / 2 - 8)).toFixed(1);
  const reaching =
    half === null
      ? NOTHING
      : html`<line class="spread" x1="${x(mean - half)}" x2="${x(mean + half)}" y1="${MIDDLE}" y2="${MIDDLE}"/>`;
  return html`<svg class="whisker" width="${WIDTH}" height="${2 * MIDDLE}" aria-hidden="true"><line class="grid zero" x1="${WIDTH / 2}" x2="${WIDTH / 2}" y1="0" y2="${2 * MIDDLE}"/>${reaching}<circle class="solid" cx="${x(mean)}" cy="${MIDDLE}" r="3.5"/></svg>`;
}
