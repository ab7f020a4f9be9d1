import { escapeHtml } from '../html-page.ts';
import { operationId } from '../openapi.ts';
import type { Route } from '../route.ts';
import { tokenVariable } from './curl-command.ts';
import { toCodeHtml, toOperationHtml, type OperationHtmlOptions } from './operation-html.ts';

export interface DocumentationPageOptions extends OperationHtmlOptions {
  readonly routes: readonly Route[];
  readonly version: string;
  /** Where its style and its script are found. */
  readonly style: string;
  readonly script: string;
}

/** Its own style, its own script, requests to its own API, pictures that these have answered, and nothing else. */
export const documentationPolicy = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "connect-src 'self'",
  'img-src blob:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The whole API on one page, to be read without a script: with one it can be searched, and tried. */
export function createDocumentationPage(options: DocumentationPageOptions): string {
  const { routes, version, style, script } = options;
  const owners = [...new Set(routes.map((route) => route.owner.name))].sort(coreLast);
  const groups = owners.map((owner) => ({
    owner,
    routes: routes.filter((route) => route.owner.name === owner).sort(byPath),
  }));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>ReturnIt API</title><link rel="stylesheet" href="${style}"><script type="module" src="${script}"></script></head>
<body><a class="skip" href="#operations">To the operations</a>
<header class="top"><a class="brand" href="/docs">ReturnIt <span>API</span></a><span class="version">${escapeHtml(version)}</span>
<label class="search" hidden><span class="hidden">Search</span><input type="search" placeholder="Search operations  ( / )" autocomplete="off"></label>
<label class="token" hidden><span>Token</span><input type="password" placeholder="of whom you try it as" autocomplete="off"></label>
<a class="raw" href="/openapi.json">openapi.json</a></header>
<div class="layout"><nav aria-label="Operations">${groups.map(toNavigation).join('')}</nav>
<main>${introduction(routes)}<div id="operations">${groups.map((group) => toGroup(group, options)).join('')}</div><p class="nothing" hidden>No operation is like that.</p></main></div></body></html>
`;
}

interface Group {
  readonly owner: string;
  readonly routes: readonly Route[];
}

function toNavigation({ owner, routes }: Group): string {
  const links = routes.map(
    (route) =>
      `<li><a href="#${operationId(route)}"><span class="verb ${route.verb.toLowerCase()}">${route.verb}</span> <span>${escapeHtml(route.path.template)}</span></a></li>`,
  );
  return `<section><a class="group" href="#group-${escapeHtml(owner)}">${escapeHtml(titleOf(owner))}</a><ul>${links.join('')}</ul></section>`;
}

function toGroup({ owner, routes }: Group, options: OperationHtmlOptions): string {
  const operations = routes.map((route) => toOperationHtml(route, options)).join('');
  return `<section class="group" id="group-${escapeHtml(owner)}"><h2>${escapeHtml(titleOf(owner))} <span class="count">${routes.length}</span></h2>${operations}</section>`;
}

function introduction(routes: readonly Route[]): string {
  const roles = [...new Set(routes.flatMap((route) => (typeof route.roles === 'string' ? [] : route.roles)))].sort();
  const tokens = roles.map((role) => `${tokenVariable(role)}=$(npx returnit token --role ${role})`).join('\n');
  return `<section class="intro"><h1>ReturnIt picks up what people send back</h1>
<p>This is its whole API: <strong>${routes.length} operations</strong>, described by the schemas that requests and answers are checked against. Each has a command to paste and, with a token above, can be tried here.</p>
<div class="cards">
<div><h3>Who you are</h3><p>A bearer token says who calls and in which role; each operation names the roles that may. On the machine that runs it, tokens for the commands below come from</p>${tokens === '' ? '' : toCodeHtml('Once in a shell', tokens)}</div>
<div><h3>What goes wrong</h3><p>Every error is a <em>problem</em> (RFC 9457) with a stable <code>code</code> to decide by, a <code>detail</code> that says what would be right, and a <code>trace_id</code> to quote. Its <code>type</code> leads to a page about it.</p>
<h3>What is new</h3><p>Answers to <code>GET</code> have an <code>ETag</code>: sent back as <code>If-None-Match</code>, it is answered with 304 while nothing has changed.</p></div>
</div></section>`;
}

/** What clients come for stands first. */
function coreLast(one: string, other: string): number {
  if (one === other) return 0;
  if (one === 'core') return 1;
  return other === 'core' || one < other ? -1 : 1;
}

const titleOf = (owner: string): string => `${owner.slice(0, 1).toUpperCase()}${owner.slice(1).replaceAll('-', ' ')}`;

function byPath(one: Route, other: Route): number {
  return one.path.template.localeCompare(other.path.template) || one.verb.localeCompare(other.verb);
}
