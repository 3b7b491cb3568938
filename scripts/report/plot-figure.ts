/**
 * The frame of one plot: caption, selector, the place that page.ts draws into, a legend that doubles as the readout,
 * and the last values as a table for whoever cannot see or run the plot.
 */
import type { RunResult } from '../replay/run-result.ts';
import { html, type Markup, NOTHING } from './markup.ts';
import { lastOf, type Plot, type View } from './plots.ts';
import { runSwatch } from './run-key.ts';

export interface PlotText {
  readonly title: string;
  /** One sentence: what is on the axes and how to read it. */
  readonly caption: string;
}

export function plotFigure(plot: Plot, text: PlotText, runs: readonly RunResult[], rounds: readonly number[]): Markup {
  return html`
<figure class="plot" data-plot="${plot.id}">
<figcaption><h3>${text.title}</h3><p>${text.caption}</p></figcaption>
${plot.views.length > 1 ? selector(plot) : NOTHING}
<div class="canvas" tabindex="0" role="slider" aria-label="${text.title}: round to read" aria-valuemin="${rounds.at(0) ?? 0}" aria-valuemax="${rounds.at(-1) ?? 0}" aria-valuenow="${rounds.at(-1) ?? 0}"></div>
<p class="at muted">Last values</p>
<ul class="legend">${runs.map((run, index) => html`<li>${runSwatch(index)} <span class="name">${run.title}</span> <output></output></li>`)}</ul>
<details><summary>Last values as a table</summary><div class="scroll" tabindex="0" role="region" aria-label="${text.title}, last values">${valueTable(plot, runs, rounds)}</div></details>
</figure>`;
}

function selector(plot: Plot): Markup {
  const option = (view: View, index: number) =>
    html`<label><input type="radio" name="${plot.id}" value="${view.key}"${index === 0 ? html` checked` : NOTHING}><span>${view.label}</span></label>`;
  return html`<fieldset class="views"><legend>Tested with</legend>${plot.views.map(option)}</fieldset>`;
}

function valueTable(plot: Plot, runs: readonly RunResult[], rounds: readonly number[]): Markup {
  const cell = (view: View, run: number) => {
    const curve = view.curves[run];
    const last = curve === undefined ? null : lastOf(curve, rounds);
    return html`<td>${last === null ? '–' : `${formatValue(last.value, plot.unit)} (round ${last.round})`}</td>`;
  };
  const row = (run: RunResult, index: number) =>
    html`<tr><th scope="row">${runSwatch(index)} ${run.title}</th>${plot.views.map((view) => cell(view, index))}</tr>`;
  return html`<table><thead><tr><th scope="col">run</th>${plot.views.map((view) => html`<th scope="col">${view.key === plot.views[0]?.key && plot.views.length === 1 ? plot.yLabel : view.label}</th>`)}</tr></thead><tbody>${runs.map(row)}</tbody></table>`;
}

function formatValue(value: number, unit: Plot['unit']): string {
  return unit === 'percent' ? `${(value * 100).toFixed(1)} %` : value.toFixed(2);
}
