import type { Authenticator } from './authentication.ts';
import { createDocumentationPage, documentationPolicy } from './documentation-page.ts';
import { createOpenApi } from './openapi.ts';
import type { RouteTable } from './route-table.ts';
import type { RouteDefinition } from './route.ts';

export interface CoreRoutesOptions {
  readonly routes: RouteTable;
  readonly authenticator: Pick<Authenticator, 'publicKeys'>;
  /** Of the platform; OpenAPI wants one. */
  readonly version: string;
}

const owner = { name: 'core', id: 'core' };

/** The core's own pages: the API's description and the keys that sign its tokens. They take their paths before any plugin can. */
export function addCoreRoutes(options: CoreRoutesOptions): void {
  const { routes, authenticator, version } = options;
  const page = (path: string, summary: string, run: RouteDefinition['run']): void => {
    routes.add({ verb: 'GET', path, owner, summary, roles: 'public', run });
  };
  const document = rememberByVersion(routes, () =>
    JSON.stringify(createOpenApi({ title: 'ReturnIt', version, routes: routes.list() })),
  );
  const html = rememberByVersion(routes, () => createDocumentationPage(routes.list()));

  page('/openapi.json', 'This API as OpenAPI 3.1', () => ({ status: 200, text: document() }));
  page('/docs', 'This API as a page', () => ({
    status: 200,
    text: html(),
    contentType: 'text/html; charset=utf-8',
    headers: { 'content-security-policy': documentationPolicy },
  }));
  page('/.well-known/jwks.json', 'The public keys that sign tokens', () => ({
    status: 200,
    text: JSON.stringify(authenticator.publicKeys),
    headers: { 'cache-control': 'public, max-age=300' },
  }));
}

function rememberByVersion(routes: RouteTable, create: () => string): () => string {
  let known: { readonly version: number; readonly text: string } | undefined;
  return () => {
    if (known?.version !== routes.version) known = { version: routes.version, text: create() };
    return known.text;
  };
}
