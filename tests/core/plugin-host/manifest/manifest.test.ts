import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { AppError } from '#core/errors/app-error.ts';
import { parseManifest, requestedItems, requestedResources } from '#core/plugin-host/manifest/manifest.ts';
import { schemaFiles, schemaText } from '#core/plugin-host/schema-files.ts';

const file = 'plugins/orders/plugin.json';

/** The message of the refusal. */
function refusalOf(text: string): string {
  try {
    parseManifest(text, file);
  } catch (error) {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, 'INVALID_MANIFEST');
    return error.message;
  }
  return assert.fail('the manifest was accepted');
}

const refusalOfManifest = (manifest: object): string =>
  refusalOf(JSON.stringify({ name: 'orders', version: '1.0.0', ...manifest }));

describe('parseManifest()', () => {
  it('reads a manifest of the documented form', () => {
    const manifest = parseManifest(
      `{ "$schema": "../../core/plugin-host/plugin.schema.json",
         "name": "parcels", "version": "1.0.0",
         "permissions": {
           "http":   { "routes": ["/parcels"], "public": ["GET /parcels/{id}/track"], "why": "customers announce parcels" },
           "events": { "publish": ["parcel.*"], "subscribe": ["order.cancelled"] },
           "jobs":   { "queues": ["parcels.expire"] },
           "db":     { "read": ["orders.order_summary"], "publish": ["parcel_state"], "why": "show the order beside the parcel" },
           "net":    { "hosts": ["api.carrier.example:443", "10.0.0.0/8:443"], "why": "print labels" }
         },
         "metrics": { "returnit_parcels_total": { "type": "counter", "help": "Parcels announced", "labels": ["outcome"] } },
         "limits": { "heapMiB": 128, "callTimeoutMs": 10000, "connections": 4 } }`,
      file,
    );
    assert.equal(manifest.main, 'plugin.ts');
    assert.deepEqual(manifest.limits, { heapMiB: 128, callTimeoutMs: 10_000, connections: 4 });
    assert.deepEqual(requestedResources(manifest), {
      http: ['/parcels', 'public GET /parcels/{id}/track'],
      db: ['orders.order_summary', 'publish parcel_state'],
      jobs: ['parcels.expire'],
      events: ['publish parcel.*', 'subscribe order.cancelled'],
      net: ['api.carrier.example:443', '10.0.0.0/8:443'],
    });
    assert.equal(requestedItems(manifest).at(-1)?.why, 'print labels');
  });

  it('says where a syntax error is', () => {
    assert.equal(
      refusalOf('{\n  "name": "orders",\n}'),
      `Cannot use ${file}:\n  ${file}:3:1 no comma may stand before "}"`,
    );
    assert.match(refusalOf('{ // a comment\n}'), /:1:3 JSON has no comments$/);
    assert.match(refusalOf(''), /:1:1 the file is empty$/);
  });

  it('reports a member that is given twice', () => {
    assert.equal(
      refusalOf('{"name": "orders", "version": "1.0.0",\n "name": "payments"}'),
      `Cannot use ${file}:\n  ${file}:2:2 "name" is given twice`,
    );
  });

  it('suggests the name that was meant', () => {
    assert.equal(
      refusalOf('{"name": "orders", "version": "1.0.0",\n "permisions": {}}'),
      `Cannot use ${file}:\n  ${file}:2:16 permisions is not known: did you mean "permissions"?`,
    );
  });

  it('reports every problem at once, with what it is and what would be right', () => {
    const message = refusalOfManifest({
      version: '1',
      permissions: { net: { hosts: ['api.stripe.com'] }, http: { routes: '/orders', why: 'orders' } },
    });
    assert.match(message, /version must be a semantic version such as "1\.0\.0": it is "1"/);
    assert.match(message, /permissions\.net must have "why"/);
    assert.match(message, /permissions\.http\.routes must be an array: it is "\/orders"/);
  });

  it('refuses write, run, ffi, import and sys by name', () => {
    assert.match(
      refusalOfManifest({ permissions: { write: { paths: ['/tmp'] } } }),
      /permissions\.write is refused: no plugin may write files: keep data in its database schema \(ctx\.db\)$/,
    );
    for (const name of ['run', 'ffi', 'import', 'sys']) {
      assert.match(
        refusalOfManifest({ permissions: { [name]: true } }),
        new RegExp(`permissions\\.${name} is refused: no plugin may `),
      );
    }
  });

  it('refuses names that the platform needs', () => {
    for (const name of ['core', 'public', 'pg-boss', 'pgboss', 'returnit', 'monitor']) {
      assert.match(refusalOfManifest({ name }), new RegExp(`name must not be "${name}": the name is reserved$`));
    }
  });

  it('refuses names that are not kebab-case or too long', () => {
    for (const name of ['Orders', 'pg_temp', '-x', 'a--b', 'a'.repeat(41), '../x', '__proto__']) {
      assert.match(
        refusalOfManifest({ name }),
        /name must be a kebab-case name of at most 40 characters, such as "orders"/,
      );
    }
  });

  it('refuses resources of the wrong form', () => {
    const cases: readonly (readonly [object, string])[] = [
      [
        { net: { hosts: ['api.stripe.com'], why: 'pay' } },
        'net.hosts[0] must name a port, such as "api.stripe.com:443": it is "api.stripe.com"',
      ],
      [
        { http: { routes: ['orders'], why: 'orders' } },
        'http.routes[0] must be a path prefix such as "/orders": it is "orders"',
      ],
      [
        { http: { public: ['/x'], why: 'orders' } },
        'http.public[0] must be a verb and a path such as "GET /orders/{orderId}/track": it is "/x"',
      ],
      [
        { db: { read: ['orders'], why: 'read' } },
        'db.read[0] must be a view such as "tracking.driver_position", or "publish driver_position": it is "orders"',
      ],
      [
        { db: { publish: ['a.b'], why: 'read' } },
        'db.publish[0] must be the name of an own view such as "driver_position": it is "a.b"',
      ],
      [
        { mqtt: { subscribe: ['a/#/b'] } },
        'mqtt.subscribe[0] must be a topic filter such as "subscribe drivers/+/location": it is "subscribe a/#/b"',
      ],
      [
        { events: { publish: ['*.created'] } },
        'events.publish[0] must be an event such as "publish order.created" or "subscribe order.*": it is "publish *.created"',
      ],
      [
        { env: { names: ['A B'], why: 'keys' } },
        'env.names[0] must be a variable such as "STRIPE_KEY" or "STRIPE_*": it is "A B"',
      ],
      [
        { read: { paths: ['../secrets'], why: 'zones' } },
        'read.paths[0] must be a path such as "assets/templates" or "/usr/share/zoneinfo", without ".", ".." or "*": it is "../secrets"',
      ],
    ];
    for (const [permissions, expected] of cases) {
      const message = refusalOfManifest({ permissions });
      assert.ok(message.endsWith(` permissions.${expected}`), message);
    }
  });

  it('checks declared metrics', () => {
    const metric = (name: string, declaration: object): string =>
      refusalOfManifest({ metrics: { [name]: { help: 'A thing', labels: [], ...declaration } } });
    assert.match(
      metric('returnit_things', { type: 'counter' }),
      /metrics\.returnit_things is no metric: the name of a counter/,
    );
    assert.match(metric('returnit_things', { type: 'gauge', buckets: [1] }), /must have no "buckets": it is a gauge/);
    assert.match(metric('returnit_things', { type: 'histogram' }), /must have "buckets"/);
    const outcome = { type: 'counter', labels: ['outcome'] };
    assert.match(
      metric('returnit_a_total', { ...outcome, values: { end: ['ok'] } }),
      /must have "values" of each of its labels \(outcome\), and of no other: they are of \(end\)/,
    );
    const many = Array.from({ length: 11 }, (_, index) => `v${index}`);
    assert.match(
      metric('returnit_a_total', { type: 'counter', labels: ['a', 'b'], values: { a: many, b: many } }),
      /must have at most 100 sets of "values": they make 121/,
    );
    assert.match(
      metric('returnit_things', { type: 'gauge', labels: ['a'], values: { a: ['b'] } }),
      /must have no "values": a gauge that nobody has set says nothing/,
    );
    assert.match(
      metric('returnit_a_total', { type: 'counter', labels: ['plugin'] }),
      /labels\[0\] must be a label name/,
    );
  });

  it('takes no member from a prototype', () => {
    assert.match(
      refusalOf('{"name": "orders", "version": "1.0.0", "__proto__": {"main": "x.ts"}}'),
      /__proto__ is not known/,
    );
    assert.equal(({} as Record<string, unknown>)['main'], undefined);
  });

  it('refuses a main module outside the folder', () => {
    for (const main of ['../x.ts', '/x.ts', 'a/../../x.ts', 'x.json']) {
      assert.match(refusalOfManifest({ main }), /main must be a module inside the plugin folder/);
    }
  });
});

describe('schema files', () => {
  for (const { path, schema } of schemaFiles) {
    it(`${path.split('/').at(-1)} is what the code checks (node core/plugin-host/write-schema-files.ts)`, async () => {
      assert.deepEqual(JSON.parse(await readFile(path, 'utf8')), JSON.parse(schemaText(schema)));
    });
  }
});
