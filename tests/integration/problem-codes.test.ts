/** Every refusal of the core on every route: problem details with a code that programs can decide by. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Role } from '#plugin-api';
import type { Api, ApiRequest, Problem } from '../support/api-client.ts';
import type { Operation } from '../support/openapi-check.ts';
import { patient } from '../support/patient.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { assertSound } from './fuzz/assert-answer.ts';

interface Named {
  readonly name: string;
  readonly verb: string;
  readonly path: string;
  readonly operation: Operation;
}

const verbs = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
const anId = '01900000-0000-7000-8000-000000000000';

describe('refusals of every route', () => {
  let platform: TestPlatform;
  let operations: readonly Named[];
  let callers: Readonly<Record<string, Api>>;

  before(async () => {
    platform = await startPlatform({ config: { ...patient, httpBodyMaxBytes: 2000 } });
    const { paths } = await platform.openApi();
    operations = Object.entries(paths).flatMap(([template, all]) =>
      Object.entries(all).map(([verb, operation]) => ({
        name: `${verb.toUpperCase()} ${template}`,
        verb: verb.toUpperCase(),
        path: template.replaceAll(/\{\w+\}/g, anId),
        operation,
      })),
    );
    const roles: readonly Role[] = ['customer', 'partner', 'driver', 'ops'];
    callers = Object.fromEntries(
      await Promise.all(roles.map(async (role) => [role, await platform.as(role, 'x')] as const)),
    );
  });
  after(() => platform?.stop());

  const callerOf = ({ operation }: Named): Api => callers[operation['x-roles'][0] ?? ''] ?? platform.anonymous();
  const forRoles = (): readonly Named[] =>
    operations.filter(({ operation }) => callers[operation['x-roles'][0] ?? ''] !== undefined);
  const withJson = (): readonly Named[] =>
    forRoles().filter(({ operation }) => operation.requestBody?.content['application/json'] !== undefined);

  async function refused(named: Named, request: ApiRequest, expected: readonly [number, string]): Promise<void> {
    const { status, headers, body } = await callerOf(named).request(named.verb, named.path, request);
    const what = `${named.name}: ${JSON.stringify(body)}`;
    assert.deepEqual([status, body.code], expected, what);
    const { verb, path } = named;
    assertSound({ verb, path, status, contentType: headers.get('content-type'), body }, headers);
    assert.ok((body.detail ?? '').length > 10, what);
  }

  it('405 for another verb, with those that there are; OPTIONS names them as well', async () => {
    for (const path of new Set(operations.map((each) => each.path))) {
      const own = operations.filter((each) => each.path === path).map(({ verb }) => verb);
      const url = `${platform.app.addresses.api}${path}`;
      const options = await fetch(url, { method: 'OPTIONS' });
      assert.equal(options.status, 204, path);
      const allow = (options.headers.get('allow') ?? '').split(', ');
      for (const verb of own) assert.ok(allow.includes(verb), `${verb} ${path}`);
      const other = verbs.find((verb) => !allow.includes(verb));
      if (other === undefined) continue;
      const response = await fetch(url, { method: other });
      const body = (await response.json()) as Problem;
      assert.deepEqual([response.status, body.code], [405, 'METHOD_NOT_ALLOWED'], `${other} ${path}`);
      assert.deepEqual(response.headers.get('allow')?.split(', '), allow);
      const { status, headers } = response;
      assertSound({ verb: other, path, status, contentType: headers.get('content-type'), body }, headers);
    }
  });

  it('404 below every path', async () => {
    for (const { path } of operations) {
      const response = await fetch(`${platform.app.addresses.api}${path}/there/is/nothing`);
      const body = (await response.json()) as Problem;
      assert.deepEqual([response.status, body.code], [404, 'NOT_FOUND'], path);
    }
  });

  it('415 for what is not JSON, 413 for too much, 400 for what cannot be read, 422 for nothing', async () => {
    assert.ok(withJson().length >= 8);
    for (const named of withJson()) {
      const text = { 'content-type': 'text/plain' };
      await refused(named, { raw: '{}', headers: text }, [415, 'UNSUPPORTED_MEDIA_TYPE']);
      await refused(named, { raw: '{}', headers: { 'content-encoding': 'gzip' } }, [415, 'UNSUPPORTED_MEDIA_TYPE']);
      await refused(named, { raw: `"${'x'.repeat(3000)}"` }, [413, 'BODY_TOO_LARGE']);
      await refused(named, { raw: '{"a":' }, [400, 'MALFORMED_JSON']);
      await refused(named, { raw: '[]' }, [422, 'VALIDATION_FAILED']);
      await refused(named, {}, [422, 'VALIDATION_FAILED']);
    }
  });

  it('400 for a body that nobody takes and for a key that is none', async () => {
    for (const named of forRoles().filter(({ operation }) => operation.requestBody === undefined)) {
      if (named.verb !== 'GET') await refused(named, { raw: '{}' }, [400, 'MALFORMED_REQUEST']);
    }
    const keyed = forRoles().filter(({ operation }) =>
      operation.parameters.some(({ name }) => name === 'Idempotency-Key'),
    );
    assert.ok(keyed.length >= 8);
    for (const named of keyed)
      await refused(named, { headers: { 'idempotency-key': 'a b' } }, [400, 'IDEMPOTENCY_KEY_INVALID']);
  });

  it('422 for a query that is not known', async () => {
    for (const named of forRoles()) {
      const answer = await callerOf(named).request(named.verb, `${named.path}?nobody_knows_this=1`, withBodyOf(named));
      // A body or a path that does not match is told at the same time, by the same code.
      assert.deepEqual([answer.status, answer.body.code], [422, 'VALIDATION_FAILED'], named.name);
      assert.ok(
        answer.body.errors?.some(({ pointer }) => pointer === '#/nobody_knows_this'),
        named.name,
      );
    }
  });

  /** A body of a type that the route takes. */
  function withBodyOf({ operation }: Named): ApiRequest {
    if (operation.requestBody === undefined) return {};
    const types = Object.keys(operation.requestBody.content);
    if (types.includes('application/json')) return { body: {} };
    return { raw: '{}', headers: { 'content-type': types[0] ?? '' } };
  }
});

describe('refusals of every route when a caller has had its share', () => {
  let platform: TestPlatform;
  before(async () => {
    const config = { ...patient, httpReadsPerMinute: 1, httpWritesPerMinute: 1, httpAnonymousPerMinute: 30 };
    platform = await startPlatform({ config });
  });
  after(() => platform?.stop());

  it('429 with the time to wait, before anything is read', async () => {
    const { paths } = await platform.openApi();
    const ops = await platform.as('ops', 'o');
    for (const [template, all] of Object.entries(paths)) {
      for (const [verb, operation] of Object.entries(all)) {
        if (!operation['x-roles'].includes('ops')) continue;
        const path = template.replaceAll(/\{\w+\}/g, anId);
        await ops.request(verb.toUpperCase(), path);
        const { status, body, headers } = await ops.request(
          verb.toUpperCase(),
          path,
          verb === 'get' ? {} : { raw: '{' },
        );
        assert.deepEqual([status, body.code], [429, 'RATE_LIMITED'], `${verb} ${template}`);
        assert.match(headers.get('retry-after') ?? '', /^([1-5]?\d|60)$/);
      }
    }
  });
});
