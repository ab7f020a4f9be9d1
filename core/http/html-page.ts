import { hash } from 'node:crypto';

export const htmlContentType = 'text/html; charset=utf-8';

/** A whole page; `body` is HTML already. */
export function createHtmlPage({ title, body }: { readonly title: string; readonly body: string }): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><style>${style}</style></head>
<body>${body}</body></html>
`;
}

const style = `
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}
td{padding:.35rem .75rem .35rem 0;border-top:1px solid color-mix(in srgb,currentColor 20%,transparent);vertical-align:top}
code{font:14px ui-monospace,monospace}
.verb{font-weight:700}
.roles{opacity:.7;white-space:nowrap;text-align:right}`;

/** Nothing on such a page runs, and nothing is loaded: its one inline style, by its hash, is what this allows. */
export const htmlPagePolicy = `default-src 'none'; style-src 'sha256-${hash('sha256', style, 'base64')}'; frame-ancestors 'none'`;

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
