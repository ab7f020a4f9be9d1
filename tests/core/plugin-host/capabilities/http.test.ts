import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { loadConfig } from '#core/config/config.ts';
import { createRouteTable, type RouteTable } from '#core/http/route-table.ts';
import { createHttpCapability } from '#core/plugin-host/capabilities/http.ts';
import { callCapability, createFakeInstance } from '../../../support/fake-instance.ts';

const config = loadConfig({}, { httpRequestTimeoutMs: 30_000 });
const args = {
  verb: 'get',
  path: '/orders/{orderId}',
  summary: 'An order',
  roles: ['customer'],
  response: { 200: { type: 'object' } },
  handler: 0,
};

function create(): { readonly routeTable: RouteTable; readonly capability: ReturnType<typeof createHttpCapability> } {
  const routeTable = createRouteTable();
  return { routeTable, capability: createHttpCapability({ routeTable, config, callTimeoutMsOf: () => 7000 }) };
}

describe('http.route', () => {
  it('takes what the plugin API sends and nothing else', () => {
    const validate = new Ajv2020({ strict: false }).compile(create().capability.methods['route']?.args as object);
    assert.equal(validate(args), true);
    assert.equal(validate({ ...args, roles: 'public', params: {}, query: {}, body: {} }), true);
    const broken = [
      { verb: 'trace' },
      { path: '' },
      { path: 'x'.repeat(300) },
      { summary: '' },
      { roles: [] },
      { roles: ['admin'] },
      { roles: 'all' },
      { params: 1 },
      { body: true },
      { response: {} },
      { response: { 200: true } },
      { handler: -1 },
      { handler: 0.5 },
      { extra: 1 },
    ];
    for (const change of broken) assert.equal(validate({ ...args, ...change }), false, JSON.stringify(change));
  });

  it('asks for the path, and once more when the route is public', () => {
    const route = create().capability.methods['route'];
    const access = (asked: object): unknown => route?.access(asked as never, { name: 'orders', version: '1.0.0' });
    assert.deepEqual(access(args), [{ permission: 'http', resource: '/orders/{orderId}' }]);
    assert.deepEqual(access({ ...args, verb: 'post', roles: 'public' }), [
      { permission: 'http', resource: '/orders/{orderId}' },
      { permission: 'http', resource: 'public POST /orders/{orderId}' },
    ]);
  });

  it('registers the route under the plugin that called, for as long as its process lives', async () => {
    const { routeTable, capability } = create();
    const instance = createFakeInstance('orders');
    await callCapability(capability, instance, { method: 'route', args });
    const [route] = routeTable.list();
    assert.equal(route?.name, 'GET /orders/{orderId}');
    assert.equal(route?.owner.name, 'orders');
    assert.equal(route?.owner.gone?.aborted, false);
    instance.die();
    assert.equal(route?.owner.gone?.aborted, true);
  });

  it('asks the handler with the shorter of the two limits', async () => {
    const { routeTable, capability } = create();
    const instance = createFakeInstance('orders');
    const asked: unknown[] = [];
    const observed = { ...instance, handle: async (...all: unknown[]) => void asked.push(all) };
    await callCapability(capability, observed, { method: 'route', args: { ...args, handler: 5 } });
    const [route] = routeTable.list();
    const { signal } = new AbortController();
    const request = {
      principal: { id: 'a', role: 'customer' as const },
      params: {},
      query: {},
      body: null,
      headers: {},
      path: '/orders/1',
      id: 'x',
      signal,
    };
    await assert.rejects(async () => route?.run(request, route), { code: 'INVALID_RESPONSE' });
    const { headers, ...input } = {
      principal: request.principal,
      params: {},
      query: {},
      body: null,
      headers: {},
      id: 'x',
    };
    assert.deepEqual(asked, [[5, { ...input, headers }, { timeoutMs: 7000, signal }]]);
  });

  it('names the place in a schema that it refuses, and leaves the table as it was', async () => {
    const { routeTable, capability } = create();
    const body = { type: 'object', properties: { name: { type: 'string', pattern: '^(a+)+$' } } };
    await assert.rejects(
      callCapability(capability, createFakeInstance('orders'), {
        method: 'route',
        args: { ...args, verb: 'post', body },
      }),
      {
        code: 'INVALID_SCHEMA',
        message:
          /^Cannot use schema "POST \/orders\/\{orderId\} body" at "#\/properties\/name\/pattern": pattern "\^\(a\+\)\+\$" is refused/,
      },
    );
    assert.equal(routeTable.list().length, 0);
  });
});
