/**
 * The report's stylesheet. Both themes are in each colour (`light-dark`); the script reads the resolved ones for its canvases.
 * Run colours have a contrast of at least 3 : 1 against both backgrounds and stay apart under colour blindness; dashes and
 * letters carry the same meaning.
 */
export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --page: light-dark(#fdfdfb, #141517); --text: light-dark(#1d1d1b, #e9e8e4); --muted: light-dark(#5f5f59, #a3a29c);
  --rule: light-dark(#e5e4df, #2c2e32); --raised: light-dark(#f4f3ef, #1d1f22); --accent: light-dark(#005f9e, #6cb8ee);
  --run-0: light-dark(#0067a5, #56b4e9); --run-1: light-dark(#c4480a, #ff8f4a); --run-2: light-dark(#007f5c, #35c99b);
  --run-3: light-dark(#a03c78, #e59bc8); --run-4: light-dark(#8a6800, #e5c32e); --run-5: light-dark(#3d3d8f, #a6a5f0);
  --run-6: light-dark(#7a2e1d, #d9a08f); --run-7: light-dark(#4c4c48, #c9c8c2);
}
:root[data-theme="light"] { color-scheme: light; }
:root[data-theme="dark"] { color-scheme: dark; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; font-variant-numeric: tabular-nums; }
.wrap { max-width: 64rem; margin: 0 auto; padding: 3rem 1.5rem 5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; letter-spacing: -0.015em; font-weight: 650; margin: 0; text-wrap: balance; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; font-weight: 650; margin: 4.5rem 0 0.5rem; letter-spacing: -0.01em; }
h3 { font-size: 1rem; font-weight: 600; margin: 0; }
p { margin: 0.4rem 0; max-width: 44rem; text-wrap: pretty; }
.muted, figcaption p { color: var(--muted); font-size: 0.9rem; }
.top { display: flex; gap: 1.5rem; justify-content: space-between; align-items: flex-start; }
.lead { font-size: 1.075rem; margin: 1.25rem 0 0; max-width: 46rem; }
button { font: inherit; font-size: 0.875rem; color: var(--text); background: none; border: 1px solid var(--rule); border-radius: 6px; padding: 0.3rem 0.75rem; cursor: pointer; white-space: nowrap; }
button:hover { background: var(--raised); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
dl { margin: 1.5rem 0 0; }
.words { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0.9rem 2.5rem; }
dt { font-weight: 600; } dd { margin: 0; color: var(--muted); font-size: 0.925rem; }
details { margin-top: 1rem; }
summary { cursor: pointer; color: var(--muted); font-size: 0.875rem; width: fit-content; }
summary:hover { color: var(--text); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.925rem; margin-top: 1rem; min-width: 100%; }
th, td { padding: 0.36rem 0 0.36rem 1.5rem; text-align: right; font-weight: 400; vertical-align: baseline; border-bottom: 1px solid var(--rule); }
td { white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; position: sticky; left: 0; background: var(--page); max-width: 14rem; }
thead th { vertical-align: bottom; font-weight: 600; line-height: 1.3; min-width: 7.5rem; }
tbody th[scope="rowgroup"] { padding-top: 1.35rem; color: var(--muted); font-size: 0.85rem; max-width: none; white-space: nowrap; }
td.best { font-weight: 700; }
td.prose { white-space: normal; }
.settings { display: grid; grid-template-columns: max-content 1fr; gap: 0.3rem 1.5rem; font-size: 0.925rem; margin-top: 1.25rem; }
.settings dt { font-weight: 400; color: var(--muted); } .settings dd { color: var(--text); font-size: inherit; overflow-wrap: anywhere; }
.swatch { display: inline-flex; align-items: center; gap: 0.4rem; white-space: nowrap; }
thead .swatch { display: flex; justify-content: flex-end; margin-bottom: 0.2rem; }
figure { margin: 1.75rem 0 0; min-width: 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 0.5rem 2.5rem; }
.canvas { margin-top: 0.75rem; border-bottom: 0 solid var(--rule); min-width: 0; touch-action: pan-y; }
.at { margin: 0.5rem 0 0; }
.legend { list-style: none; margin: 0.2rem 0 0; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 0.15rem 2rem; font-size: 0.9rem; }
.legend li { display: flex; gap: 0.6rem; align-items: baseline; min-width: 0; }
.legend .name { min-width: 0; overflow-wrap: anywhere; }
.legend output { white-space: nowrap; font-weight: 600; }
.marks { grid-template-columns: none; display: flex; flex-wrap: wrap; gap: 0.25rem 1.5rem; color: var(--muted); }
.marks li { align-items: center; gap: 0.35rem; }
.views { border: 0; padding: 0; margin: 0.75rem 0 0; display: flex; flex-wrap: wrap; gap: 0.4rem; min-width: 0; }
.views legend { padding: 0 0 0.3rem; color: var(--muted); font-size: 0.875rem; }
.views label { position: relative; }
.views input { position: absolute; opacity: 0; inset: 0; margin: 0; cursor: pointer; }
.views span { display: block; font-size: 0.875rem; border: 1px solid var(--rule); border-radius: 999px; padding: 0.2rem 0.8rem; }
.views input:hover + span { background: var(--raised); }
.views input:checked + span { background: var(--text); color: var(--page); border-color: var(--text); }
.views input:focus-visible + span { outline: 2px solid var(--accent); outline-offset: 2px; }
svg { overflow: visible; }
.bytes { padding: 0 1.75rem 0 0.75rem; margin-top: 1.25rem; }
.bytes > p { margin: 1rem 0 0.15rem -0.75rem; max-width: none; }
.bytes > svg, .fleet { display: block; width: 100%; }
.solid { fill: currentColor; } .hollow { fill: var(--page); stroke: currentColor; stroke-width: 2; }
.grid { stroke: var(--rule); } .span { stroke: currentColor; stroke-width: 2; opacity: 0.35; }
.axis text, .names text { fill: var(--muted); font-size: 12px; } .names text { font-size: 10px; }
.participation { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 2rem 2.5rem; margin-top: 1.5rem; }
.strips { display: flex; gap: 0.5rem; margin-top: 0.5rem; } .names { flex: 0 0 5rem; width: 5rem; } .fleet { flex: 1; min-width: 0; }
.fleet rect { fill: color-mix(in srgb, currentColor 72%, var(--page)); } .fleet rect.empty { fill: var(--rule); }
.ends { display: flex; justify-content: space-between; max-width: none; color: var(--muted); font-size: 0.8rem; margin: 0.25rem 0 0; }
.strips:has(.names) + .ends { padding-left: 5.5rem; }
${Array.from({ length: 8 }, (_, i) => `.run-${i} { color: var(--run-${i}); }`).join(' ')}
.uplot .u-cursor-x { border-color: var(--muted); }
@media (max-width: 480px) { .wrap { padding: 1.75rem 1rem 3rem; } h1 { font-size: 1.5rem; } h2 { margin-top: 3.25rem; } th, td { padding-left: 1rem; } th:first-child { max-width: 9.5rem; } }
@media print { button, .views, details:not([open]) { display: none; } figure { break-inside: avoid; } }
`;
