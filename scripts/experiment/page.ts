/**
 * An experiment's report: one HTML file without scripts, so that its Content-Security-Policy allows nothing but its own style.
 * What is switched (metric, theme) is switched by radio buttons and CSS, which keyboards and screen readers know.
 */
import { documentHead, html, inlineSource, type Markup, NOTHING, policyHash } from '../report/markup.ts';
import { runSwatch } from '../report/run-key.ts';
import { REPORT_STYLE } from '../report/style.ts';
import { chart } from './chart.ts';
import { differencesTable } from './differences.ts';
import type { Experiment } from './experiment.ts';
import { estimateText, type Provenance, seedText } from './markdown.ts';
import { PAGE_STYLE } from './page-style.ts';
import type { FigureSummary, MetricSummary } from './summary.ts';

/** A whole document. @param date as people write it */
export function experimentPage(
  experiment: Experiment,
  figures: readonly FigureSummary[],
  provenance: Provenance,
  date: string,
): string {
  const style = inlineSource(REPORT_STYLE + PAGE_STYLE);
  const policy = `default-src 'none'; style-src ${policyHash(style)}; img-src data:; base-uri 'none'; form-action 'none'`;
  const title = `${experiment.title} (qqr experiment ${experiment.name})`;
  return html`${documentHead(title, policy, style)}
<div class="wrap">
<header class="top"><h1>${experiment.title}</h1>${THEMES}</header>
<main>
<p class="lead">${experiment.question}</p>
${experiment.claims.map((claim) => html`<p class="muted">Claimed: ${claim}</p>`)}
${provenance.isQuick ? html`<p><strong>Short form: it shows the shape of an answer, not the answer.</strong></p>` : NOTHING}
<p class="muted">Points are means over seeds, bars ± one sample standard deviation. Differences are taken seed by seed, which share people, order and faults; brackets are 95 % intervals (Student’s t), and bold marks those that leave out 0.</p>
${figures.length === 0 ? html`<p>No trial has finished.</p>` : NOTHING}
${figures.map(figureSection)}
<h2>How it was run</h2>
${provenanceList(provenance, date)}
</main>
</div>
</body>
</html>
`.markup;
}

const THEMES: Markup = html`<fieldset class="views themes"><legend>Colours</legend>${['system', 'light', 'dark'].map(
  (name, i) =>
    html`<label><input type="radio" name="theme" id="theme-${name}"${i === 0 ? html` checked` : NOTHING}><span>${name}</span></label>`,
)}</fieldset>`;

function figureSection(summary: FigureSummary): Markup {
  const { figure, metrics, series } = summary;
  const option = ({ metric }: MetricSummary, i: number) =>
    html`<label><input type="radio" name="${figure.id}" value="${metric.key}"${i === 0 ? html` checked` : NOTHING}><span>${metric.label}</span></label>`;
  return html`
<h2>${figure.title}</h2>
<p class="muted">${figure.caption}</p>
<figure class="switched" id="figure-${figure.id}" aria-label="${figure.title}">
<fieldset class="views"><legend>Show</legend>${metrics.map(option)}</fieldset>
<ul class="legend">${series.map((name, i) => html`<li>${runSwatch(i)} <span class="name">${name}</span></li>`)}</ul>
${metrics.map((metric) => html`<section class="view" aria-label="${metric.metric.label}">${chart(summary, metric)}${valuesTable(summary, metric)}${differencesTable(summary, metric)}</section>`)}
</figure>`;
}

function valuesTable({ figure, places, series }: FigureSummary, { metric, cells }: MetricSummary): Markup {
  const cell = (name: string, x: FigureSummary['places'][number]) => {
    const found = cells.find((candidate) => candidate.series === name && candidate.x === x);
    return html`<td>${found === undefined ? '–' : `${estimateText(found.estimate, metric)} (${found.estimate.n})`}</td>`;
  };
  const row = (x: FigureSummary['places'][number]) =>
    html`<tr><th scope="row">${x}</th>${series.map((name) => cell(name, x))}</tr>`;
  return html`
<details><summary>Values as a table</summary><div class="scroll" tabindex="0" role="region" aria-label="${figure.title}, ${metric.label}: values">
<table class="values"><thead><tr><th scope="col">${figure.xLabel}</th>${series.map((name, i) => html`<th scope="col">${runSwatch(i)}${name}</th>`)}</tr></thead>
<tbody>${places.map(row)}</tbody></table></div><p class="muted">Mean ± standard deviation (how many values).</p></details>`;
}

function provenanceList({ data, seeds, commits, version, command, failed }: Provenance, date: string): Markup {
  const rows: readonly (readonly [string, string])[] = [
    ['recordings', data],
    ['seeds', seedText(seeds)],
    ['commit', commits.join(', ') || '–'],
    ['trials without a result', String(failed)],
  ];
  return html`
<p class="muted">qqr-edge ${version}, ${date}. Every trial is a line of trials.jsonl next to this file, every number a row of results.csv.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Command"><pre><code>${command}</code></pre></div>
<dl class="settings">${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}
