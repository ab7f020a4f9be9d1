import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Type, type TSchema } from 'typebox';
import { compileSchema, type SchemaCheck } from '#core/http/schema-compiler.ts';
import { normalizeSchema } from '#core/http/schema-normal-form.ts';
import { assertSafeSchema, type JsonSchema } from '#core/http/schema-policy.ts';

/** As it arrives from a plugin: plain JSON. */
function asSent(schema: TSchema | object): unknown {
  return JSON.parse(JSON.stringify(schema));
}

function compileRequest(schema: TSchema | object): SchemaCheck {
  const sent = asSent(schema);
  assertSafeSchema(sent, 'test');
  return compileSchema(normalizeSchema(sent, true), 'test');
}

describe('assertSafeSchema()', () => {
  const nested = (depth: number): object =>
    depth === 0 ? { type: 'string' } : { type: 'array', items: nested(depth - 1) };
  const refused: readonly (readonly [string, unknown, RegExp])[] = [
    [
      'a remote reference',
      { type: 'object', properties: { a: { $ref: 'https://evil.example/s.json' } } },
      /"test" at "#\/properties\/a\/\$ref": references are not followed/,
    ],
    ['a local reference', { $ref: '#' }, /at "#\/\$ref"/],
    [
      'an unknown keyword',
      { type: 'object', properties: { a: { typ: 'string' } } },
      /at "#\/properties\/a\/typ": the keyword is not known/,
    ],
    [
      'a hostile pattern',
      { type: 'string', pattern: '^(a+)+$' },
      /at "#\/pattern": pattern "\^\(a\+\)\+\$" is refused/,
    ],
    [
      'a hostile pattern as a key',
      { type: 'object', patternProperties: { '^(a+)+$': {} } },
      /at "#\/patternProperties\/\^\(a\+\)\+\$"/,
    ],
    [
      'a hostile pattern in a branch',
      { anyOf: [{ type: 'null' }, { type: 'string', pattern: '(x*)*' }] },
      /at "#\/anyOf\/1\/pattern"/,
    ],
    ['unique objects', { type: 'array', uniqueItems: true, items: { type: 'object' } }, /at "#\/uniqueItems"/],
    ['too much depth', nested(30), /nested deeper than 24/],
    ['too much text', { type: 'string', description: 'x'.repeat(70_000) }, /at most 65536 characters/],
    ['no object', 7, /at "#": a schema must be an object/],
  ];
  for (const [name, schema, message] of refused) {
    it(`refuses ${name} by its place`, () => {
      assert.throws(
        () => assertSafeSchema(schema, 'test'),
        (error: Error & { code?: string }) => error.code === 'INVALID_SCHEMA' && message.test(error.message),
      );
    });
  }
});

describe('compileSchema()', () => {
  it('keeps each pattern apart from the others', () => {
    const letters = compileRequest(Type.String({ pattern: '^[A-Z]{2}$' }));
    const digits = compileRequest(Type.String({ pattern: '^[0-9]{2}$' }));
    assert.deepEqual(
      [letters.matches('US'), letters.matches('12'), digits.matches('12'), digits.matches('US')],
      [true, false, true, false],
    );
  });

  it('refuses what is no JSON Schema', () => {
    assert.throws(() => compileSchema({ type: 'text' }, 'test'), { code: 'INVALID_SCHEMA' });
    assert.throws(() => compileSchema({ type: 'string', format: 'shoe-size' }, 'test'), /unknown format "shoe-size"/);
  });

  it('closes objects that say nothing of further fields, and parts of one object together', () => {
    const check = compileRequest(
      Type.Intersect([Type.Object({ a: Type.String() }), Type.Object({ b: Type.Object({ c: Type.Number() }) })]),
    );
    assert.equal(check.matches({ a: 'x', b: { c: 1 } }), true);
    assert.equal(check.matches({ a: 'x', b: { c: 1 }, d: 1 }), false);
    assert.equal(check.matches({ a: 'x', b: { c: 1, d: 1 } }), false);
  });

  it('leaves records and objects that are declared open as they are', () => {
    assert.equal(compileRequest(Type.Record(Type.String(), Type.Number())).matches({ any: 1 }), true);
    assert.equal(
      compileRequest(Type.Object({ a: Type.String() }, { additionalProperties: true })).matches({ a: 'x', b: 1 }),
      true,
    );
  });

  it('takes tuples and unions', () => {
    const check = compileRequest(
      Type.Object({
        at: Type.Tuple([Type.Number(), Type.Number()]),
        kind: Type.Union([Type.Literal('a'), Type.Literal('b')]),
      }),
    );
    assert.equal(check.matches({ at: [1, 2], kind: 'a' }), true);
    assert.equal(check.matches({ at: [1, 2, 3], kind: 'a' }), false);
    assert.deepEqual(check.explain({ at: [1, 2], kind: 'c' }), [
      { pointer: '#/kind', detail: 'must be "a" or "b": it is "c"' },
    ]);
  });

  it('says where, what it is and what would be right', () => {
    const check = compileRequest(
      Type.Object({
        name: Type.String({ minLength: 2 }),
        grams: Type.Integer({ minimum: 1 }),
        when: Type.String({ format: 'date-time' }),
        items: Type.Array(Type.Object({ sku: Type.String() }), { minItems: 1 }),
      }),
    );
    assert.deepEqual(check.explain({ name: '', grams: 'many', when: 'soon', items: [{ sku: 4 }, {}], 'a/b': 1 }), [
      { pointer: '#/a~1b', detail: 'is not a known field; known are "name", "grams", "when", "items"' },
      { pointer: '#/name', detail: 'must have at least 2 characters: it has 0' },
      { pointer: '#/grams', detail: 'must be an integer: it is "many"' },
      { pointer: '#/when', detail: 'must be a date and time such as 2026-01-31T09:30:00Z: it is "soon"' },
      { pointer: '#/items/0/sku', detail: 'must be a string: it is 4' },
      { pointer: '#/items/1/sku', detail: 'is missing: it must be a string' },
    ]);
  });

  it('refuses numbers that are not finite', () => {
    assert.equal(compileRequest(Type.Number()).matches(JSON.parse('1e999')), false);
  });

  it('reports at most 20 errors, and one for a large value', () => {
    const check = compileRequest(Type.Array(Type.Integer()));
    assert.equal(check.explain(Array.from({ length: 50 }, () => 'x')).length, 20);
    assert.equal(check.explain(Array.from({ length: 10_000 }, () => 'x')).length, 1);
  });

  it('is not misled by a field called __proto__', () => {
    const check = compileRequest(Type.Object({ a: Type.Optional(Type.String()) }));
    assert.equal(check.matches(JSON.parse('{"__proto__": {"a": 1}}')), false);
  });
});

describe('normalizeSchema()', () => {
  it('leaves a response open', () => {
    const schema = asSent(Type.Object({ a: Type.String() })) as JsonSchema;
    assert.deepEqual(normalizeSchema(schema, false), schema);
  });
});
