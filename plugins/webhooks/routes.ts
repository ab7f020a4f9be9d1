import { Type } from 'typebox';
import type { HttpReply, HttpRequest, PluginContext } from '#plugin-api';
import { fromCursor, toCursor, uuidForm } from './cursor.ts';
import { changeEndpoint, makeEndpoint, removeEndpoint, rotateSecret, type EndpointDeps } from './endpoint-changes.ts';
import {
  Endpoint,
  EndpointPage,
  EndpointPatch,
  EndpointWithSecret,
  NewEndpoint,
  scopeOf,
  toEndpoint,
  toETag,
} from './endpoint.ts';
import { refuse } from './errors.ts';
import { findEndpoint, listEndpoints } from './store/endpoints.ts';
import { requestTest, TestAnswer } from './testing.ts';

const closed = { additionalProperties: false } as const;
const roles = ['partner', 'ops'] as const;
const place = '/webhooks/endpoints/{endpointId}';
/** Each is a request to a host that the partner names: nobody needs many, and nobody is to be flooded from here. */
const testsPerMinute = 30;
const Params = Type.Object({ endpointId: Type.String({ format: 'uuid' }) }, closed);
const ListQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    partnerId: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'For ops alone' })),
  },
  closed,
);

/** Endpoints: whom events are told to. */
export function registerRoutes(ctx: PluginContext, deps: EndpointDeps): void {
  registerReading(ctx);
  ctx.http.post(
    '/webhooks/endpoints',
    {
      summary: 'Makes an endpoint; the answer has its secret, this once',
      roles,
      body: NewEndpoint,
      response: { 201: EndpointWithSecret },
      idempotency: 'own',
    },
    (request) => makeEndpoint(ctx, request, deps),
  );
  ctx.http.patch(
    place,
    {
      summary: 'Changes an endpoint, disables it, or enables it again',
      roles,
      params: Params,
      body: EndpointPatch,
      response: { 200: Endpoint },
      ifMatch: true,
    },
    (request) => changeEndpoint(ctx, request, deps),
  );
  ctx.http.delete(
    place,
    {
      summary: 'Deletes an endpoint and cancels what waits for it',
      roles,
      params: Params,
      response: { 204: Type.Null() },
      ifMatch: true,
    },
    (request) => removeEndpoint(ctx, request),
  );
  ctx.http.post(
    `${place}/rotate-secret`,
    {
      summary: 'Makes a new secret; for a while deliveries are signed with the old one as well',
      roles,
      params: Params,
      response: { 200: EndpointWithSecret },
      ifMatch: true,
      idempotency: 'own',
    },
    (request) => rotateSecret(ctx, request, deps),
  );
  ctx.http.post(
    `${place}/test`,
    {
      summary: 'Sends a test event',
      roles,
      params: Params,
      response: { 202: TestAnswer },
      requestsPerMinute: testsPerMinute,
    },
    (request) => requestTest(ctx, request, deps.settings),
  );
}

function registerReading(ctx: PluginContext): void {
  ctx.http.get(
    '/webhooks/endpoints',
    { summary: 'Your endpoints', roles, query: ListQuery, response: { 200: EndpointPage } },
    ({ principal, query }) => list(ctx, principal, query),
  );
  ctx.http.get(
    place,
    {
      summary: 'An endpoint, with what is wrong with it if something is',
      roles,
      params: Params,
      response: { 200: Endpoint },
    },
    async ({ principal, params: { endpointId } }) => {
      const found = await findEndpoint(ctx.db, endpointId, scopeOf(principal));
      if (found === undefined) return refuse('WEBHOOK_ENDPOINT_NOT_FOUND', `You have no endpoint '${endpointId}'`);
      return { status: 200, body: toEndpoint(found), headers: { etag: toETag(found.version) } };
    },
  );
}

async function list(
  ctx: PluginContext,
  principal: HttpRequest['principal'],
  query: { readonly limit?: number; readonly cursor?: string; readonly partnerId?: string },
): Promise<HttpReply> {
  const after = query.cursor === undefined ? null : fromCursor(query.cursor, uuidForm);
  if (after === undefined) {
    return refuse('WEBHOOK_CURSOR_INVALID', "'cursor' must be a 'nextCursor' of an earlier page");
  }
  const limit = query.limit ?? 20;
  // A partner that names another one asks for endpoints that are not its own: there are none.
  const scope = scopeOf(principal) ?? query.partnerId ?? null;
  if (query.partnerId !== undefined && query.partnerId !== scope) {
    return { status: 200, body: { endpoints: [], nextCursor: null } };
  }
  const rows = await listEndpoints(ctx.db, { scope, after, limit: limit + 1 });
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    status: 200,
    body: {
      endpoints: page.map(toEndpoint),
      nextCursor: rows.length > limit && last !== undefined ? toCursor(last.endpointId) : null,
    },
  };
}
