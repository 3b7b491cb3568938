/**
 * The report as one HTML file that needs nothing else: data, style and script are inside, and its Content-Security-Policy
 * allows exactly those and no network. Written for a reader who has never heard of the project.
 */
import type { RunResult } from '../replay/run-result.ts';
import type { ReportAssets } from './assets.ts';
import { bytesFigure } from './bytes-figure.ts';
import { modalitiesOf, modalityName } from './condition.ts';
import { documentHead, html, inlineJson, inlineSource, type Markup, NOTHING, policyHash } from './markup.ts';
import { participationFigure } from './participation-figure.ts';
import { plotFigure } from './plot-figure.ts';
import { type Plot, type PlotSet, plotsOf } from './plots.ts';
import { runDash, runLetter, runSwatch } from './run-key.ts';
import { REPORT_STYLE } from './style.ts';
import { formatCell, summaryRows } from './summary-rows.ts';

/** What page.ts reads. */
export interface PageData {
  readonly rounds: readonly number[];
  readonly runs: readonly { readonly letter: string; readonly dash: readonly number[] }[];
  readonly plots: readonly Plot[];
}

export interface ReportMeta {
  readonly title: string;
  /** When the report was made, as people write it. */
  readonly date: string;
  /** Version of the program. */
  readonly version: string;
  /** The command that makes this report again. */
  readonly command?: string;
}

/** A whole document. At least one run; titles tell the runs apart. */
export function renderReport(runs: readonly RunResult[], meta: ReportMeta, assets: ReportAssets): string {
  const style = inlineSource(assets.plotStyle + REPORT_STYLE);
  const library = inlineSource(assets.plotLibrary);
  const script = inlineSource(assets.pageScript);
  const policy = `default-src 'none'; script-src ${policyHash(library)} ${policyHash(script)}; style-src ${policyHash(style)}; img-src data:; base-uri 'none'; form-action 'none'`;
  const plots = plotsOf(runs);
  const data: PageData = {
    rounds: plots.rounds,
    runs: runs.map((_, index) => ({ letter: runLetter(index), dash: runDash(index) })),
    plots: [plots.accuracy, plots.online, ...plots.quality, ...plots.missing],
  };
  return html`${documentHead(meta.title, policy, style)}
<div class="wrap">
<header class="top"><h1>${meta.title}</h1><button id="theme" type="button" aria-pressed="false" hidden>Dark</button></header>
<main>
${introduction(runs)}
<h2>Summary</h2>
${summarySection(runs)}
${plotSections(runs, plots)}
<h2>What it costs to send</h2>
<p class="muted">Bytes per board and round, on a logarithmic axis: each line to the right is ten times more.</p>
<figure aria-label="Bytes per board and round">${bytesFigure(runs)}</figure>
<h2>Which boards took part</h2>
<p class="muted">One strip per board: filled in rounds that counted its update, fainter where only some seeds did, empty where none did.</p>
<figure aria-label="Boards counted in each round">${participationFigure(runs)}</figure>
<h2>How it was run</h2>
${provenance(runs, meta)}
</main>
</div>
<script type="application/json" id="plot-data">${inlineJson(data)}</script>
<script>${library}</script>
<script type="module">${script}</script>
</body>
</html>
`.markup;
}

function introduction(runs: readonly RunResult[]): Markup {
  const modalities = modalitiesOf(runs).map(modalityName);
  const isHealthy = runs.every(({ imbalance }) => imbalance.missingRate === 0 && imbalance.degradedRate === 0);
  const titles = runs.length === 1 ? 'one way' : `${runs.length} ways`;
  return html`
<p class="lead">${span(runs, (run) => run.boards)} sensor boards learn together to tell activities apart from ${listed(modalities)} signals, each from what it measures itself${isHealthy ? '' : ', while its sensors are sometimes absent or faulty'}. The boards here play recordings (${distinct(runs, (run) => run.dataSet)}) through the code that runs on a real board, for ${span(runs, (run) => run.rounds)} rounds, and this page shows how ${titles} of learning did.</p>
<details open><summary>What the words mean</summary>
<dl class="words">
${WORDS.map(([word, meaning]) => html`<div><dt>${word}</dt><dd>${meaning}</dd></div>`)}
</dl>
</details>`;
}

const WORDS: readonly (readonly [word: string, meaning: string])[] = [
  ['Modality', 'One kind of sensor on a board, such as the accelerometer or the gyroscope.'],
  ['Missing', 'The modality delivers nothing: the sensor is off, broken or gone.'],
  ['Degraded', 'The modality delivers signals that are wrong: noisy, clipped, stuck, drifting or full of holes.'],
  [
    'Quality',
    'How trustworthy a board judges its own signal to be, from 0 (useless) to 1 (clean). No label is needed for it.',
  ],
  [
    'Prototype',
    'The average of what the model sees for one activity through one modality: a few numbers that stand for it and are cheap to share.',
  ],
  [
    'Round',
    'Every board learns from its next few windows of signal, sends what it learned, and gets the merged model back.',
  ],
  [
    'Accuracy on unseen subjects',
    'Share of windows recognized correctly, on people whose recordings no board has learned from.',
  ],
  [
    'Predict, then train',
    'Accuracy on each window just before it is learned from (“prequential”): how well a board does while it learns.',
  ],
];

function summarySection(runs: readonly RunResult[]): Markup {
  const isRepeated = runs.some((run) => run.seeds.length > 1);
  const spread = isRepeated
    ? '± is the sample standard deviation over seeds; differences of that size can be chance. '
    : '';
  const note = `${spread}${runs.length > 1 ? 'Bold marks the highest mean of a row.' : ''}`;
  let group = '';
  const body = summaryRows(runs).map((row) => {
    const head =
      row.group === group
        ? NOTHING
        : html`<tr><th scope="rowgroup" colspan="${runs.length + 1}">${row.group}</th></tr>`;
    group = row.group;
    return html`${head}<tr><th scope="row">${row.longLabel}</th>${row.cells.map((cell, index) => html`<td${row.best[index] ? html` class="best"` : NOTHING}>${formatCell(cell, row.unit)}</td>`)}</tr>`;
  });
  return html`
<p class="muted">${note}</p>
<div class="scroll" tabindex="0" role="region" aria-label="Summary of the runs">
<table id="summary"><thead>${runHeads(runs)}</thead>
<tbody>${body}</tbody></table>
</div>`;
}

function plotSections(runs: readonly RunResult[], plots: PlotSet): Markup {
  const band = runs.some((run) => run.perSeed.length > 1)
    ? ' Lines are means over seeds, the shade is ± one standard deviation.'
    : '';
  const figure = (plot: Plot, title: string, caption: string) =>
    plotFigure(plot, { title, caption }, runs, plots.rounds);
  const sensors = plots.quality.map((plot, index) => {
    const name = plot.views[0]?.label ?? '';
    const missing = plots.missing[index];
    const quality = figure(plot, `Quality of the ${name}`, `Mean over the windows that had it.${coincidence(plot)}`);
    if (missing === undefined) return quality;
    const share = figure(missing, `Missing ${name}`, `Share of the round’s windows without it.${coincidence(missing)}`);
    return html`<div class="pair">${quality}${share}</div>`;
  });
  return html`
<h2>How well it learned</h2>
${figure(plots.accuracy, 'Accuracy on unseen subjects', `Tested after each round, with the sensors of the test windows as selected.${band}`)}
${figure(plots.online, 'Accuracy on the stream', `Each round’s windows, predicted just before they were learned from.${band}`)}
<h2>What the sensors were like</h2>
${sensors}`;
}

/** Says so where runs played the same recordings and their lines hide each other. */
function coincidence(plot: Plot): string {
  const lines = new Set(plot.views.flatMap((view) => view.curves.map((curve) => JSON.stringify(curve.mean))));
  const isHidden = lines.size === 1 && (plot.views[0]?.curves.length ?? 0) > 1;
  return isHidden ? ' The lines of all runs coincide.' : '';
}

function provenance(runs: readonly RunResult[], meta: ReportMeta): Markup {
  const rows: readonly (readonly [string, (run: RunResult) => string])[] = [
    ['strategy', (run) => run.strategy],
    ['recordings', (run) => run.dataSet],
    ['boards × rounds', (run) => `${run.boards} × ${run.rounds}`],
    ['missing rate', (run) => `${Math.round(run.imbalance.missingRate * 100)} %`],
    ['degraded rate', (run) => `${Math.round(run.imbalance.degradedRate * 100)} %`],
    ['kinds of fault', (run) => run.imbalance.kinds.join(', ') || 'none'],
    ['seeds', (run) => run.seeds.join(', ')],
    ['TensorFlow backend', (run) => run.backend],
    ['duration', (run) => `${run.durationS.toFixed(1)} s`],
    ['commit', (run) => run.commit ?? '–'],
  ];
  const settings = rows.map(([name, of]) => ({ name, values: runs.map(of) }));
  const isShared = ({ values }: { values: readonly string[] }) => values.every((value) => value === values[0]);
  const shared = settings.filter(isShared);
  const differing = settings.filter((setting) => !isShared(setting));
  return html`
<p class="muted">qqr-edge ${meta.version}, ${meta.date}. The numbers behind every point are in rounds.jsonl and result.json next to this file.</p>
${meta.command === undefined ? NOTHING : html`<div class="scroll" tabindex="0" role="region" aria-label="Command"><pre><code>${meta.command}</code></pre></div>`}
<dl class="settings">${shared.map(({ name, values }) => html`<dt>${name}</dt><dd>${values[0] ?? ''}</dd>`)}</dl>
${differing.length === 0 ? NOTHING : settingsTable(runs, differing)}`;
}

function settingsTable(
  runs: readonly RunResult[],
  settings: readonly { readonly name: string; readonly values: readonly string[] }[],
): Markup {
  return html`
<div class="scroll" tabindex="0" role="region" aria-label="Settings that differ between the runs">
<table><thead>${runHeads(runs)}</thead>
<tbody>${settings.map(({ name, values }) => html`<tr><th scope="row">${name}</th>${values.map((value) => html`<td class="prose">${value}</td>`)}</tr>`)}</tbody></table>
</div>`;
}

function runHeads(runs: readonly RunResult[]): Markup {
  return html`<tr><td></td>${runs.map((run, index) => html`<th scope="col">${runSwatch(index)}${run.title}</th>`)}</tr>`;
}

function distinct(runs: readonly RunResult[], of: (run: RunResult) => string): string {
  return [...new Set(runs.map(of))].join('; ');
}

/** `21`, or `5 to 21` where runs differ. */
function span(runs: readonly RunResult[], of: (run: RunResult) => number): string {
  const values = runs.map(of);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low === high ? String(low) : `${low} to ${high}`;
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
