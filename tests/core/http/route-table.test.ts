import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRouteTable } from '#core/http/route-table.ts';
import type { RouteDefinition, RouteOwner, Verb } from '#core/http/route.ts';

type Rest = readonly [owner: RouteOwner, rest?: Partial<RouteDefinition>];

function define(verb: Verb, path: string, ...[owner, rest = {}]: Rest): RouteDefinition {
  return {
    verb,
    path,
    owner,
    summary: 'A route',
    roles: 'public',
    response: { 200: {} },
    run: () => ({ status: 200 }),
    ...rest,
  };
}

const orders = { name: 'orders', id: 'orders-1' };
const ordersAgain = { name: 'orders', id: 'orders-2' };
const drivers = { name: 'drivers', id: 'drivers-1' };

describe('createRouteTable()', () => {
  it('finds routes and their segments; a literal wins over a parameter whatever came first', () => {
    const table = createRouteTable();
    table.add(define('GET', '/orders/{orderId}', orders));
    const literal = table.add(define('GET', '/orders/open', orders));
    const deep = table.add(define('GET', '/orders/{orderId}/items/{itemId}', orders));
    assert.deepEqual(table.match('GET', '/orders/open'), { kind: 'found', route: literal, segments: [] });
    assert.deepEqual(table.match('HEAD', '/orders/open/items/3'), {
      kind: 'found',
      route: deep,
      segments: ['open', '3'],
    });
    for (const path of [
      '/orders',
      '/orders/',
      '/orders/1/',
      '/orders//items/1',
      '/',
      '',
      '*',
      '/orders/1/items',
      '/a'.repeat(40),
      '/__proto__',
    ]) {
      assert.equal(table.match('GET', path).kind, 'none', path);
    }
  });

  it('names the verbs of a path that has no such verb', () => {
    const table = createRouteTable();
    table.add(define('GET', '/orders/{id}', orders));
    table.add(define('DELETE', '/orders/{id}', orders));
    assert.deepEqual(table.match('PUT', '/orders/1'), {
      kind: 'other-verb',
      template: '/orders/{id}',
      allow: 'DELETE, GET, HEAD, OPTIONS',
    });
  });

  it('replaces a route when a later process of the same plugin registers it, parameters renamed or not', () => {
    const table = createRouteTable();
    table.add(define('GET', '/orders/{id}', orders));
    const later = table.add(define('GET', '/orders/{orderId}', ordersAgain));
    assert.deepEqual(table.match('GET', '/orders/1'), { kind: 'found', route: later, segments: ['1'] });
    assert.equal(table.list().length, 1);
  });

  it('refuses a route that another plugin has, or the same process already', () => {
    const table = createRouteTable();
    table.add(define('GET', '/orders/{id}', orders));
    assert.throws(() => table.add(define('GET', '/orders/{id}', drivers)), {
      code: 'ROUTE_CONFLICT',
      message:
        'Cannot register route "GET /orders/{id}" for plugin "drivers": plugin "orders" has registered it as "GET /orders/{id}"',
    });
    assert.throws(() => table.add(define('GET', '/orders/{id}', orders)), /it is registered already/);
  });

  it('refuses templates of one shape, under the same verb and under another', () => {
    const table = createRouteTable();
    table.add(define('GET', '/orders/{id}', orders));
    assert.throws(() => table.add(define('GET', '/orders/{orderId}', drivers)), { code: 'ROUTE_CONFLICT' });
    assert.throws(
      () => table.add(define('PUT', '/orders/{orderId}', orders)),
      /names the parameters of the same path differently/,
    );
  });

  it('drops what a later process did not register again', () => {
    const table = createRouteTable();
    table.add(define('GET', '/orders/old', orders));
    table.add(define('GET', '/orders/kept', orders));
    table.add(define('GET', '/drivers', drivers));
    table.add(define('GET', '/orders/kept', ordersAgain));
    const { version } = table;
    table.removeStale(ordersAgain);
    assert.equal(table.match('GET', '/orders/old').kind, 'none');
    assert.equal(table.match('GET', '/orders/kept').kind, 'found');
    assert.equal(table.match('GET', '/drivers').kind, 'found');
    assert.ok(table.version > version);
    table.remove('orders');
    assert.deepEqual(
      table.list().map((route) => route.name),
      ['GET /drivers'],
    );
  });

  it('bounds the routes of a plugin', () => {
    const table = createRouteTable({ routesPerOwnerMax: 1 });
    table.add(define('GET', '/a', orders));
    assert.throws(() => table.add(define('GET', '/b', orders)), /plugin "orders" may have 1 routes and has them/);
    table.add(define('GET', '/a', ordersAgain));
  });

  const broken: readonly (readonly [string, Partial<RouteDefinition>, RegExp])[] = [
    ['a path without a slash', { path: 'orders' }, /must begin with "\/"/],
    ['a trailing slash', { path: '/orders/' }, /segment "" must be letters/],
    ["Koa's own parameters", { path: '/orders/:id' }, /segment ":id" must be/],
    ['a dot segment', { path: '/orders/../admin' }, /segment "\.\."/],
    ['a parameter twice', { path: '/a/{id}/b/{id}' }, /"\{id\}" stands in it twice/],
    ['too long a path', { path: `/${'a'.repeat(300)}` }, /at most 256 characters/],
    ['too many segments', { path: '/a'.repeat(20) }, /at most 16 segments/],
    [
      'a schema of other parameters',
      { path: '/a/{id}', params: { type: 'object', properties: { orderId: {} } } },
      /"orderId" stands in one only/,
    ],
    ['no roles', { roles: [] }, /'roles' must name at least one role/],
    ['a body of GET', { body: { type: 'object' } }, /a GET request has no body/],
    ['a response of an error', { response: { 404: {} } }, /status must be from 200 to 399: it is "404"/],
  ];
  for (const [name, rest, message] of broken) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => createRouteTable().add(define('GET', '/orders', orders, rest)),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'INVALID_CALL');
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }
});
