import type { Route } from './route.ts';

/** Nothing on the page runs, and nothing is loaded: the one inline style is what this allows. */
export const documentationPolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/** A page that lists the operations, by plugin. */
export function createDocumentationPage(routes: readonly Route[]): string {
  const owners = [...new Set(routes.map((route) => route.owner.name))].sort();
  const sections = owners.map((owner) => {
    const rows = routes
      .filter((route) => route.owner.name === owner)
      .sort(byPath)
      .map(toRow);
    return `<h2>${escapeHtml(owner)}</h2><table>${rows.join('')}</table>`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>ReturnIt API</title><style>${style}</style></head>
<body><h1>ReturnIt API</h1><p>The whole description, with schemas: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1)</p>${sections.join('')}</body></html>
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

function toRow(route: Route): string {
  const allowed = route.roles === 'public' ? 'public' : route.roles.join(', ');
  return `<tr><td><code class="verb">${route.verb}</code></td><td><code>${escapeHtml(route.path.template)}</code></td><td>${escapeHtml(route.summary)}</td><td class="roles">${escapeHtml(allowed)}</td></tr>`;
}

function byPath(one: Route, other: Route): number {
  return one.path.template.localeCompare(other.path.template) || one.verb.localeCompare(other.verb);
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
