import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { createFakePlugin, startHttpFixture, type HttpFixture } from './http-fixture.ts';

/** The essentials of OpenAPI 3.1. */
const response = {
  anyOf: [
    { type: 'object', required: ['$ref'] },
    { type: 'object', required: ['description'] },
  ],
};
const operation = {
  type: 'object',
  required: ['operationId', 'responses'],
  properties: {
    operationId: { type: 'string', pattern: '^[A-Za-z_0-9]+$' },
    tags: { type: 'array', items: { type: 'string' } },
    parameters: {
      type: 'array',
      items: {
        type: 'object',
        required: ['name', 'in', 'schema'],
        properties: { in: { enum: ['path', 'query', 'header'] }, required: { type: 'boolean' } },
        anyOf: [
          { properties: { in: { enum: ['query', 'header'] } } },
          { required: ['required'], properties: { in: { const: 'path' }, required: { const: true } } },
        ],
      },
    },
    requestBody: { type: 'object', required: ['content'] },
    responses: {
      type: 'object',
      minProperties: 1,
      patternProperties: { '^([1-5][0-9]{2}|default)$': response },
      additionalProperties: false,
    },
    security: { type: 'array', items: { type: 'object' } },
  },
};
const documentSchema = {
  type: 'object',
  required: ['openapi', 'info', 'paths', 'components'],
  properties: {
    openapi: { type: 'string', pattern: '^3\\.1\\.\\d+$' },
    info: {
      type: 'object',
      required: ['title', 'version'],
      properties: { title: { type: 'string' }, version: { type: 'string' } },
    },
    servers: { type: 'array', items: { type: 'object', required: ['url'] } },
    tags: { type: 'array', items: { type: 'object', required: ['name'] } },
    paths: {
      type: 'object',
      patternProperties: {
        '^/': {
          type: 'object',
          propertyNames: { enum: ['get', 'post', 'put', 'patch', 'delete'] },
          additionalProperties: operation,
        },
      },
      additionalProperties: false,
    },
    components: { type: 'object', required: ['securitySchemes', 'schemas'] },
  },
};

interface Document {
  readonly info: { readonly version: string };
  readonly paths: Record<string, Record<string, Record<string, unknown>>>;
}

describe('/openapi.json', () => {
  let fixture: HttpFixture;
  const read = async (): Promise<Document> => (await (await fixture.request('/openapi.json')).json()) as Document;
  before(async () => {
    fixture = await startHttpFixture();
    const plugin = createFakePlugin();
    await fixture.route(plugin, {
      params: { type: 'object', required: ['orderId'], properties: { orderId: { type: 'string', format: 'uuid' } } },
      query: { type: 'object', properties: { limit: { type: 'integer' } } },
    });
    await fixture.route(plugin, {
      verb: 'post',
      path: '/orders',
      summary: 'Book <b>it</b>',
      body: { type: 'object', properties: { grams: { type: 'integer' } } },
      response: { 201: { type: 'object' }, 204: {} },
    });
  });
  after(() => fixture.stop());

  it('is structurally valid OpenAPI 3.1', async () => {
    const document = await read();
    const validate = new Ajv2020({ strict: false, allErrors: true }).compile(documentSchema);
    assert.equal(validate(document), true, JSON.stringify(validate.errors, null, 2));
    const ids = Object.values(document.paths).flatMap((path) => Object.values(path).map((each) => each['operationId']));
    assert.equal(new Set(ids).size, ids.length);
  });

  it('has every registered route, and new ones as they come', async () => {
    const named = (document: Document): string[] =>
      Object.entries(document.paths)
        .flatMap(([path, verbs]) => Object.keys(verbs).map((verb) => `${verb.toUpperCase()} ${path}`))
        .sort();
    const expected = (): string[] =>
      fixture.table
        .list()
        .map((route) => route.name)
        .sort();
    assert.deepEqual(named(await read()), expected());
    await fixture.route(createFakePlugin('drivers'), { path: '/drivers', roles: 'public' });
    assert.deepEqual(named(await read()), expected());
    assert.ok(expected().includes('GET /drivers'));
  });

  it('describes roles, parameters, bodies and responses', async () => {
    const { paths, info } = await read();
    assert.equal(info.version, '1.2.3');
    const get = paths['/orders/{orderId}']?.['get'];
    assert.deepEqual(get?.['x-roles'], ['customer']);
    assert.deepEqual(get?.['security'], [{ token: [] }]);
    assert.deepEqual(get?.['tags'], ['orders']);
    assert.deepEqual(get?.['parameters'], [
      {
        name: 'orderId',
        in: 'path',
        required: true,
        schema: { type: 'string', format: 'uuid' },
        example: '01a204f9-41f0-7423-8dd5-d3e55a9f64a8',
      },
      { name: 'limit', in: 'query', required: false, schema: { type: 'integer' } },
    ]);
    const post = paths['/orders']?.['post'];
    assert.deepEqual(post?.['requestBody'], {
      required: true,
      content: {
        'application/json': {
          schema: { type: 'object', properties: { grams: { type: 'integer' } }, additionalProperties: false },
          example: {},
        },
      },
    });
    assert.deepEqual(Object.keys(post?.['responses'] as object).sort(), [
      '201',
      '204',
      '400',
      '401',
      '403',
      '408',
      '409',
      '413',
      '415',
      '422',
      '429',
      '503',
      '504',
      'default',
    ]);
  });

  it('tells of keys, scopes and limits where they hold', async () => {
    await fixture.route(createFakePlugin('quotes'), {
      verb: 'post',
      path: '/quotes',
      roles: ['partner', 'ops'],
      response: { 201: {} },
    });
    await fixture.route(createFakePlugin('links'), {
      verb: 'post',
      path: '/links',
      roles: ['ops'],
      response: { 201: {} },
      idempotency: false,
    });
    const { paths } = await read();
    const quotes = paths['/quotes']?.['post'] ?? assert.fail();
    assert.deepEqual(quotes['security'], [{ token: [] }, { apiKey: [] }]);
    assert.equal(quotes['x-scope'], 'quotes:write');
    assert.deepEqual(
      (quotes['parameters'] as { name: string; in: string; required: boolean }[]).map((each) => [
        each.name,
        each.in,
        each.required,
      ]),
      [['Idempotency-Key', 'header', false]],
    );
    const { 201: created, 409: conflict, 429: limited } = quotes['responses'] as Record<string, object>;
    assert.deepEqual(Object.keys((created as { headers: object }).headers), [
      'RateLimit-Policy',
      'RateLimit',
      'Idempotent-Replayed',
    ]);
    assert.deepEqual(conflict, { $ref: '#/components/responses/Conflict' });
    assert.deepEqual(limited, { $ref: '#/components/responses/TooManyRequests' });
    const links = paths['/links']?.['post'] ?? assert.fail();
    assert.deepEqual([links['parameters'], links['x-scope']], [[], undefined]);
    assert.deepEqual(links['security'], [{ token: [] }]);
    assert.ok(!('409' in (links['responses'] as object)));
  });

  it('tells of keys that the handler itself sees to, and of no repeated answer there', async () => {
    const secret = { type: 'object', properties: { secret: { type: 'string' } } };
    const route = { verb: 'post', roles: ['ops'], response: { 201: secret } } as const;
    await fixture.route(createFakePlugin('things'), { ...route, path: '/things', idempotency: 'own' });
    await fixture.route(createFakePlugin('other'), { ...route, path: '/other' });
    const { paths } = await read();
    const things = paths['/things']?.['post'] ?? assert.fail();
    assert.deepEqual(
      (things['parameters'] as { name: string }[]).map(({ name }) => name),
      ['Idempotency-Key'],
    );
    const { 201: created } = things['responses'] as Record<string, { headers: object }>;
    assert.deepEqual(Object.keys(created?.headers ?? {}), ['RateLimit-Policy', 'RateLimit']);
    assert.deepEqual(paths['/other']?.['post']?.['parameters'], [], 'a secret is not kept');
  });

  it('tells of If-Match where a route compares it, which alone is given it', async () => {
    const versioned = createFakePlugin('versioned');
    const route = { verb: 'put', roles: ['ops'], response: { 200: {} } } as const;
    await fixture.route(versioned, { ...route, path: '/versioned', ifMatch: true });
    await fixture.route(versioned, { ...route, path: '/unversioned' });
    const { paths } = await read();
    const described = (path: string): readonly unknown[] => {
      const { parameters, responses } = paths[path]?.['put'] ?? assert.fail();
      return [
        (parameters as { name: string }[]).map(({ name }) => name),
        (responses as Record<string, unknown>)['412'],
      ];
    };
    assert.deepEqual(described('/versioned'), [['If-Match'], { $ref: '#/components/responses/PreconditionFailed' }]);
    assert.deepEqual(described('/unversioned'), [[], undefined]);
    for (const path of ['/versioned', '/unversioned']) {
      await fixture.request(path, { method: 'PUT', role: 'ops', headers: { 'if-match': '"3"' } });
    }
    assert.deepEqual(
      versioned.inputs.map(({ headers }) => headers['if-match']),
      ['"3"', undefined],
    );
  });

  it('is a page as well, which escapes what plugins say', async () => {
    const page = await fixture.request('/docs');
    assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/);
    const html = await page.text();
    assert.match(html, /\/orders\/\{orderId\}/);
    assert.match(html, /Book &lt;b&gt;it&lt;\/b&gt;/);
  });
});
