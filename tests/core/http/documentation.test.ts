import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { createPatternExample } from '#core/http/documentation/pattern-example.ts';
import { createExample } from '#core/http/documentation/schema-example.ts';
import { compileSchema } from '#core/http/schema-compiler.ts';
import { createFakePlugin, startHttpFixture, type HttpFixture } from './http-fixture.ts';

const nowMs = Date.UTC(2026, 4, 4, 9);

describe('createPatternExample()', () => {
  it('matches the patterns that plugins use', () => {
    for (const pattern of [
      '^[A-Za-z0-9._:-]{1,64}$',
      '^[^\\u0000-\\u0020\\u007f][^\\u0000-\\u001f\\u007f]*$',
      '^(?:tok|pm)_[A-Za-z0-9_]{1,124}$',
      '^[A-Z]{2}$',
      '^[a-z][a-z0-9-]{1,63}$',
      '^(?:[a-z]+|[0-9]+)$',
      '^\\d{3}-\\d{4}$',
      '^a\\.b\\/c\\\\$',
      '^[\\p{L}\\d ]{2,5}$',
      '^é{2}\\u00e9$',
      '(store|carrier)',
      '^[\\]^-]+$',
      '^.{3}$',
      '',
    ]) {
      const text = createPatternExample(pattern);
      assert.ok(text !== undefined && new RegExp(pattern, 'u').test(text), `${pattern}: ${text}`);
    }
  });

  it('gives up on what it does not know, and never answers what does not match', () => {
    for (const pattern of ['^(?=a)a$', '^(a)\\1$', '(', '^a$b'])
      assert.equal(createPatternExample(pattern), undefined, pattern);
    const part = fc.constantFrom(
      'a',
      '.',
      '[a-z]',
      '[^a-z]',
      '\\d',
      '\\S',
      '(',
      ')',
      '(?:',
      '|',
      '*',
      '+',
      '?',
      '{2}',
      '{1,3}',
      '^',
      '$',
      '\\.',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const pattern = parts.join('');
        const text = createPatternExample(pattern);
        if (text !== undefined) assert.match(text, new RegExp(pattern, 'u'));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('createExample()', () => {
  const leaf = fc.oneof(
    fc.record({ type: fc.constant('string'), minLength: fc.nat(20), maxLength: fc.integer({ min: 20, max: 60 }) }),
    fc.record({
      type: fc.constant('string'),
      format: fc.constantFrom(
        'uuid',
        'date-time',
        'date',
        'time',
        'duration',
        'email',
        'uri',
        'ipv4',
        'ipv6',
        'hostname',
      ),
    }),
    fc.record({
      type: fc.constantFrom('integer', 'number'),
      minimum: fc.integer({ min: -100, max: 5 }),
      maximum: fc.integer({ min: 5, max: 100 }),
    }),
    fc.record({
      type: fc.constant('integer'),
      multipleOf: fc.integer({ min: 1, max: 9 }),
      exclusiveMinimum: fc.integer({ min: -20, max: 20 }),
    }),
    fc.record({
      enum: fc
        .array(fc.oneof(fc.string(), fc.integer()), { minLength: 1, maxLength: 3 })
        .map((values) => [...new Set(values)]),
    }),
    fc.constantFrom({ type: 'boolean' }, { type: 'null' }, { const: 5 }, { type: ['null', 'string'] }, {}),
  );
  const { schema } = fc.letrec((tie) => ({
    schema: fc.oneof({ maxDepth: 4 }, leaf, tie('object'), tie('array'), tie('choice')),
    object: fc
      .dictionary(fc.constantFrom('lat', 'name', 'end', 'orderId', 'other'), tie('schema'), { maxKeys: 4 })
      .map((properties) => ({
        type: 'object',
        properties,
        required: Object.keys(properties).slice(1),
        additionalProperties: false,
      })),
    array: fc.record({ type: fc.constant('array'), items: tie('schema'), minItems: fc.nat(2) }),
    choice: tie('schema').map((one) => ({ anyOf: [{ type: 'null' }, one] })),
  }));

  it('matches the schema, of requests and of answers', () => {
    fc.assert(
      fc.property(schema, fc.boolean(), (given, whole) => {
        const check = compileSchema(given as Record<string, unknown>, 'a schema');
        const value = createExample(given, { nowMs, whole });
        assert.ok(check.matches(value), `${JSON.stringify(given)}: ${JSON.stringify(value)}`);
      }),
      { numRuns: 300 },
    );
  });

  it('takes what the schema gives, and shows of optional parts those that do', () => {
    const given = {
      type: 'object',
      properties: {
        a: { type: 'string' },
        b: { type: 'string', examples: ['shown'] },
        c: { type: 'integer', default: 7 },
      },
      required: ['c'],
    };
    assert.deepEqual(createExample(given, { nowMs, whole: false }), { b: 'shown', c: 7 });
  });

  it('lies in the future, and ends after it begins', () => {
    const window = {
      type: 'object',
      properties: { start: { type: 'string', format: 'date-time' }, end: { type: 'string', format: 'date-time' } },
    };
    assert.deepEqual(createExample(window, { nowMs, whole: true }), {
      start: '2026-05-05T10:00:00.000Z',
      end: '2026-05-05T12:00:00.000Z',
    });
  });
});

describe('/docs', () => {
  let fixture: HttpFixture;
  beforeEach(async () => {
    fixture = await startHttpFixture();
    const params = {
      type: 'object',
      properties: { orderId: { type: 'string', format: 'uuid' } },
      required: ['orderId'],
    };
    const body = {
      type: 'object',
      properties: { note: { type: 'string', examples: ['it\'s <b>"$HOME"</b> & `ls`'] } },
    };
    await fixture.route(createFakePlugin(), {
      verb: 'post',
      path: '/orders/{orderId}/notes',
      summary: 'Adds <a note>',
      params,
      body,
    });
  });
  afterEach(() => fixture.stop());

  const page = async () => {
    const response = await fixture.request('/docs');
    return { headers: response.headers, text: await response.text() };
  };

  it('is allowed its own style, its own script and requests to its own API, and has nothing inline', async () => {
    const { headers, text } = await page();
    const policy = headers.get('content-security-policy') ?? '';
    assert.match(
      policy,
      /^default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src blob:;/,
    );
    assert.ok(!policy.includes('unsafe'));
    assert.doesNotMatch(text, /<style|\sstyle=|<script(?! type="module" src="\/assets\/)|\son[a-z]+=/);
    assert.equal(headers.get('cache-control'), 'no-cache');
  });

  it('loads nothing from elsewhere, and what it loads is kept for a year', async () => {
    const { text } = await page();
    const loaded = [...text.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, target = '']) => target);
    assert.ok(
      loaded.every((target) => target.startsWith('/') && !target.startsWith('//')),
      loaded.join(' '),
    );
    const assets = loaded.filter((target) => target.startsWith('/assets/'));
    assert.equal(assets.length, 2);
    for (const asset of assets) {
      const response = await fixture.request(asset);
      assert.equal(response.status, 200, asset);
      assert.equal(response.headers.get('cache-control'), 'public, max-age=31536000, immutable');
      assert.doesNotMatch(await response.text(), /https?:\/\/|@import|url\(/);
    }
    assert.equal((await fixture.request('/assets/docs.0000000000000000.css')).status, 404);
  });

  it('says everything without a script: groups, operations, schemas, commands', async () => {
    const { text } = await page();
    assert.match(text, /<section class="group" id="group-orders"><h2>Orders /);
    assert.match(text, /<details class="operation" id="post_orders_orderId_notes">/);
    assert.ok(text.includes('Adds &lt;a note&gt;'));
    assert.ok(text.includes('<code class="name">note</code>'));
    assert.match(text, /<form class="try" hidden /);
  });

  it('takes a file where the body is one: of the types and the size that the route takes', async () => {
    const plugin = createFakePlugin();
    await fixture.route(plugin, {
      verb: 'put',
      path: '/orders/label',
      summary: 'Takes a label',
      bodyAs: 'bytes',
      contentTypes: ['application/pdf', 'image/png'],
      bodyMaxBytes: 5_242_880,
    });
    await fixture.route(plugin, {
      verb: 'post',
      path: '/orders/lines',
      summary: 'Takes lines',
      bodyAs: 'lines',
      body: { type: 'object', properties: { note: { type: 'string', examples: ['a note'] } } },
    });
    const { text } = await page();
    const formOf = (path: string): string =>
      new RegExp(`<form [^>]*data-path="${path}">.*?</form>`).exec(text)?.[0] ?? assert.fail(path);
    const file = formOf('/orders/label');
    assert.match(file, /<input type="file" name="file" accept="application\/pdf,image\/png" data-bytes-max="5242880"/);
    assert.ok(file.includes('<small>of at most 5 MiB</small>'));
    assert.ok(file.includes('<option>application/pdf</option><option>image/png</option>'));
    assert.ok(!file.includes('<textarea'));

    const lines = formOf('/orders/lines');
    assert.ok(lines.includes('{&quot;note&quot;:&quot;a note&quot;}</textarea>'), lines);
    assert.match(lines, /<input type="file" name="file" data-bytes-max="67108864"/);
    assert.ok(lines.includes('value="application/x-ndjson"'));
  });

  it('names the headers that a route takes', async () => {
    await fixture.route(createFakePlugin('notes'), {
      verb: 'put',
      path: '/notes',
      body: { type: 'object' },
      ifMatch: true,
    });
    const { text } = await page();
    const headersOf = (id: string): string[] => {
      const operation = text.slice(text.indexOf(`id="${id}"`)).split('</details>', 1)[0] ?? '';
      const list = /<h4>In the header<\/h4><ul class="schema">(.*?)<\/ul>/.exec(operation)?.[1] ?? '';
      return [...list.matchAll(/class="name">([^<]+)</g)].map(([, name = '']) => name);
    };
    assert.deepEqual(headersOf('post_orders_orderId_notes'), ['Idempotency-Key']);
    assert.deepEqual(headersOf('put_notes'), ['If-Match']);
  });

  it('says which answers are files', async () => {
    const contentTypes = ['text/csv', 'image/png', 'application/geo+json', 'application/pdf'];
    await fixture.route(createFakePlugin(), { path: '/orders/label', streams: { contentTypes, handler: 1 } });
    const { text } = await page();
    assert.ok(text.includes('data-path="/orders/label" data-binary="image/png application/pdf">'));
    assert.ok(text.includes('data-path="/orders/{orderId}/notes">'), 'no other answer is one');
  });

  it('has commands that a shell takes as they are, for the address that it was asked for under', async () => {
    const ask = (host: string): Promise<string> =>
      fixture.raw(`GET /docs HTTP/1.1\r\nHost: ${host}\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n`);
    const text = await ask('api.returnit.example');
    const command = /<code>(curl[^<]*notes[^<]*)<\/code>/.exec(text)?.[1] ?? '';
    assert.ok(command.includes('https://api.returnit.example/orders/'), command);
    assert.ok(command.includes(String.raw`it&#39;\&#39;&#39;s`));
    assert.ok(!(await ask('a<script>')).includes('a<script>'));
  });

  it('is 304 for who has it', async () => {
    const { headers } = await page();
    const again = await fixture.request('/docs', { headers: { 'if-none-match': headers.get('etag') ?? '' } });
    assert.equal(again.status, 304);
  });
});
