import { createFakePlugin, startHttpFixture, type FakePlugin, type HttpFixture } from './http-fixture.ts';

const NewOrder = {
  type: 'object',
  required: ['grams'],
  properties: { grams: { type: 'integer', minimum: 1 }, note: { type: 'string', maxLength: 10 } },
};

/** A server with one plugin's routes: `GET /orders/{orderId}` and `POST /orders`. */
export async function startOrderRoutes(): Promise<{ readonly fixture: HttpFixture; readonly plugin: FakePlugin }> {
  const fixture = await startHttpFixture({
    httpBodyMaxBytes: 1000,
    httpRequestTimeoutMs: 500,
    httpSlowRequestMs: 100_000,
  });
  const plugin = createFakePlugin();
  await fixture.route(plugin, {
    roles: 'public',
    params: { type: 'object', required: ['orderId'], properties: { orderId: { type: 'integer' } } },
    query: { type: 'object', properties: { limit: { type: 'integer', maximum: 100 } } },
    response: { 200: { type: 'object', required: ['ok'], properties: { ok: { type: 'boolean' } } } },
  });
  await fixture.route(plugin, {
    verb: 'post',
    path: '/orders',
    roles: 'public',
    body: NewOrder,
    response: { 201: {}, 204: {} },
  });
  return { fixture, plugin };
}
