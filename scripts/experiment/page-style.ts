/** What an experiment's page adds to the report's stylesheet: charts, and views and themes that radio buttons switch. */

/** Most metrics that one figure can show. */
const MOST_VIEWS = 30;

/** The n-th radio button shows the n-th view. */
const switches = Array.from(
  { length: MOST_VIEWS },
  (_, i) =>
    `.switched:has(.views label:nth-of-type(${i + 1}) input:checked) .view:nth-of-type(${i + 1}) { display: block; }`,
).join('\n');

export const PAGE_STYLE = `
:root:has(#theme-light:checked) { color-scheme: light; }
:root:has(#theme-dark:checked) { color-scheme: dark; }
.themes { margin: 0; flex-wrap: nowrap; } .themes legend { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
h4 { font-size: 0.95rem; font-weight: 600; margin: 1.25rem 0 0; }
.switched .legend { margin-top: 1rem; }
.view { display: none; }
${switches}
.unit { margin: 1rem 0 0; }
.chart { padding: 0.5rem 2rem 0.25rem 4.25rem; min-width: 18rem; box-sizing: border-box; }
${Array.from({ length: 6 }, (_, i) => `.room-${i + 1} { min-width: ${15 * (i + 1) + 7}rem; }`).join(' ')}
.line { fill: none; stroke: currentColor; stroke-width: 2; }
.spread { stroke: currentColor; stroke-width: 2; opacity: 0.55; } .faint { opacity: 0.22; stroke-width: 3; }
.letter { fill: currentColor; font-size: 12px; font-weight: 700; }
.whisker { vertical-align: middle; overflow: hidden; } .zero { stroke: var(--muted); }
.values td { font-size: 0.9rem; }
pre { font-size: 0.85rem; }
@media (max-width: 640px) { .top { flex-direction: column; gap: 0.75rem; } }
@media print { .view { display: block; } }
`;
