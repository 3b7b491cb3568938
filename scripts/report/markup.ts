/**
 * HTML by tagged template: whatever is interpolated is escaped unless it is markup already.
 * Invariant: no text of a run (titles, device names, reasons) reaches the page unescaped, in an element, an attribute or a script.
 */
import { createHash } from 'node:crypto';

/** Text that is known to be well-formed HTML. Only this file and trusted constants make it. */
export interface Markup {
  readonly markup: string;
}

type Part = string | number | Markup | readonly Markup[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

function render(part: Part): string {
  if (typeof part === 'string') return escapeText(part);
  if (typeof part === 'number') return String(part);
  return 'markup' in part ? part.markup : part.map((item) => item.markup).join('');
}

/** Use for elements and double-quoted attributes. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return { markup: String.raw({ raw: strings }, ...parts.map(render)) };
}

export const NOTHING: Markup = { markup: '' };

/** JSON for the inside of a `<script>`: no `<` remains, so nothing in it can end the element or open a comment. */
export function inlineJson(value: unknown): Markup {
  return { markup: JSON.stringify(value).replace(/</g, '\\u003c') };
}

/** Own code or style for the inside of `<script>` or `<style>`; it must not contain that element's end tag. */
export function inlineSource(source: string): Markup {
  if (/<\/(script|style)/i.test(source)) throw new RangeError('the source would end its own element');
  return { markup: source };
}

/** A Content-Security-Policy source that allows exactly this inline script or style. */
export function policyHash(source: Markup): string {
  return `'sha256-${createHash('sha256').update(source.markup).digest('base64')}'`;
}

/** The head of a self-contained page, up to and including its opening `body`. @param policy value of the Content-Security-Policy */
export function documentHead(title: string, policy: string, style: Markup): Markup {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>`;
}
