import { readFileSync } from 'node:fs';
import { Type, type Static } from 'typebox';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { prefersHtml } from './accepts-html.ts';
import type { Authenticator } from './authentication.ts';
import { originMark } from './documentation/curl-command.ts';
import { createDocumentationPage, documentationPolicy } from './documentation/documentation-page.ts';
import { htmlContentType, htmlPagePolicy } from './html-page.ts';
import { createOpenApi } from './openapi.ts';
import { findProblemPage, ProblemPage, toProblemHtml } from './problem-page.ts';
import type { RouteTable } from './route-table.ts';
import type { StaticAssets } from './static-assets.ts';
import type { RouteDefinition, RouteRequest, RouteResponse } from './route.ts';

export interface CoreRoutesOptions {
  readonly config: Pick<Config, 'httpLinesMaxBytes'>;
  readonly routes: RouteTable;
  readonly assets: StaticAssets;
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
  const document = rememberForToday(routes, (nowMs) =>
    JSON.stringify(createOpenApi({ title: 'ReturnIt', version, routes: routes.list(), nowMs })),
  );

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
    run: createDocumentationRun(options),
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

const readAsset = (file: string): string => readFileSync(new URL(`documentation/${file}`, import.meta.url), 'utf8');
/** What a `Host` may look like to be shown in commands. */
const hostPattern = /^[A-Za-z0-9.-]{1,253}(?::\d{1,5})?$|^\[[0-9a-fA-F:]{2,45}\](?::\d{1,5})?$/;

/** Its commands name the address that the page was asked for under. */
function createDocumentationRun({ config, routes, assets, version }: CoreRoutesOptions): RouteDefinition['run'] {
  const style = assets.add({
    name: 'docs',
    extension: 'css',
    text: `${readAsset('docs-page.css')}${readAsset('docs-operations.css')}`,
  });
  const script = assets.add({ name: 'docs', extension: 'js', text: readAsset('docs.js') });
  const html = rememberForToday(routes, (nowMs) =>
    createDocumentationPage({
      routes: routes.list(),
      version,
      nowMs,
      style,
      script,
      linesMaxBytes: config.httpLinesMaxBytes,
    }),
  );
  return ({ headers }) => {
    const { host = '' } = headers;
    const scheme = headers['x-forwarded-proto'] === 'https' ? 'https' : 'http';
    const origin = hostPattern.test(host) ? `${scheme}://${host}` : '';
    return {
      status: 200,
      text: html().replaceAll(originMark, origin),
      contentType: htmlContentType,
      headers: { 'content-security-policy': documentationPolicy, 'cache-control': 'no-cache', vary: 'host' },
    };
  };
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

const dayMs = 86_400_000;

/** Until a route changes, or the day, on which examples lie in the future. */
function rememberForToday(routes: RouteTable, create: (nowMs: number) => string): () => string {
  let known: { readonly version: number; readonly day: number; readonly text: string } | undefined;
  return () => {
    const nowMs = Date.now();
    const day = Math.floor(nowMs / dayMs);
    if (known?.version !== routes.version || known.day !== day) {
      known = { version: routes.version, day, text: create(nowMs) };
    }
    return known.text;
  };
}
