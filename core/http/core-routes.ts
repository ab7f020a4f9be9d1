import { Type, type Static } from 'typebox';
import { AppError } from '#core/errors/app-error.ts';
import { prefersHtml } from './accepts-html.ts';
import type { Authenticator } from './authentication.ts';
import { createDocumentationPage } from './documentation-page.ts';
import { htmlContentType, htmlPagePolicy } from './html-page.ts';
import { createOpenApi } from './openapi.ts';
import { findProblemPage, ProblemPage, toProblemHtml } from './problem-page.ts';
import type { RouteTable } from './route-table.ts';
import type { RouteDefinition, RouteRequest, RouteResponse } from './route.ts';

export interface CoreRoutesOptions {
  readonly routes: RouteTable;
  readonly authenticator: Pick<Authenticator, 'publicKeys'>;
  /** Of the platform; OpenAPI wants one. */
  readonly version: string;
}

const OpenApiDocument = Type.Object({ openapi: Type.String(), info: Type.Object({}), paths: Type.Object({}) });
const KeySet = Type.Object({ keys: Type.Array(Type.Object({ kty: Type.String() })) });
const ProblemParams = Type.Object(
  { code: Type.String({ pattern: '^[a-z][a-z0-9-]{1,63}$' }) },
  { additionalProperties: false },
);

const owner = { name: 'core', id: 'core' };

/** The core's own pages: the API's description, the keys that sign its tokens, and what its problems mean. They take their paths before any plugin can. */
export function addCoreRoutes(options: CoreRoutesOptions): void {
  const { routes, authenticator, version } = options;
  const page = (definition: Pick<RouteDefinition, 'path' | 'summary' | 'params' | 'content' | 'run'>): void => {
    routes.add({ verb: 'GET', owner, roles: 'public', ...definition });
  };
  const document = rememberByVersion(routes, () =>
    JSON.stringify(createOpenApi({ title: 'ReturnIt', version, routes: routes.list() })),
  );
  const html = rememberByVersion(routes, () => createDocumentationPage(routes.list()));

  page({
    path: '/openapi.json',
    summary: 'This API as OpenAPI 3.1',
    content: { 'application/json': OpenApiDocument },
    run: () => ({ status: 200, text: document() }),
  });
  page({
    path: '/docs',
    summary: 'This API as a page',
    content: { 'text/html': Type.String() },
    run: () => toHtml(html()),
  });
  page({
    path: '/.well-known/jwks.json',
    summary: 'The public keys that sign tokens',
    content: { 'application/json': KeySet },
    run: () => ({
      status: 200,
      text: JSON.stringify(authenticator.publicKeys),
      headers: { 'cache-control': 'public, max-age=300' },
    }),
  });
  page({
    path: '/problems/{code}',
    summary: 'What a problem means, and what to do: where its `type` leads',
    params: ProblemParams,
    content: { 'application/json': ProblemPage, 'text/html': Type.String() },
    run: (request) => answerProblem(request, routes),
  });
}

function answerProblem({ params, headers }: RouteRequest, routes: RouteTable): RouteResponse {
  const { code } = params as Static<typeof ProblemParams>;
  const found = findProblemPage(code, routes.list());
  if (found === undefined) {
    throw new AppError(
      'NOT_FOUND',
      `Cannot explain problem "${code}": the core has no such code, and no plugin of this node has answered it yet`,
    );
  }
  const answer = prefersHtml(headers.accept)
    ? toHtml(toProblemHtml(found))
    : { status: 200, text: JSON.stringify(found) };
  return { ...answer, headers: { ...answer.headers, vary: 'accept' } };
}

function toHtml(text: string): RouteResponse {
  return {
    status: 200,
    text,
    contentType: htmlContentType,
    headers: { 'content-security-policy': htmlPagePolicy },
  };
}

function rememberByVersion(routes: RouteTable, create: () => string): () => string {
  let known: { readonly version: number; readonly text: string } | undefined;
  return () => {
    if (known?.version !== routes.version) known = { version: routes.version, text: create() };
    return known.text;
  };
}
