import { createHtmlPage, escapeHtml } from './html-page.ts';
import type { Route } from './route.ts';

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
  const intro =
    '<h1>ReturnIt API</h1><p>The whole description, with schemas: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1)</p>';
  return createHtmlPage({ title: 'ReturnIt API', body: `${intro}${sections.join('')}` });
}

function toRow(route: Route): string {
  const allowed = typeof route.roles === 'string' ? route.roles : route.roles.join(', ');
  return `<tr><td><code class="verb">${route.verb}</code></td><td><code>${escapeHtml(route.path.template)}</code></td><td>${escapeHtml(route.summary)}</td><td class="roles">${escapeHtml(allowed)}</td></tr>`;
}

function byPath(one: Route, other: Route): number {
  return one.path.template.localeCompare(other.path.template) || one.verb.localeCompare(other.verb);
}
