import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { AppError } from '#core/errors/app-error.ts';
import type { FakeHandler } from './http-fixture.ts';
import { problemOf } from './http-problem.ts';
import { startIdempotencyFixture, type IdempotencyFixture, type KeyedRequest } from './idempotency-fixture.ts';

describe('requests with an Idempotency-Key', () => {
  let keyed: IdempotencyFixture;
  before(async () => {
    keyed = await startIdempotencyFixture();
  });
  after(() => keyed.stop());
  beforeEach(() => keyed.reset());

  const send = (sent: KeyedRequest): Promise<Response> => keyed.send(sent);

  it('are done once: status, headers and body are the same byte for byte', async () => {
    const [key, before] = [randomUUID(), await keyed.sample('returnit_http_idempotent_requests_total', 'replayed')];
    const text = '{ "grams" : 5 }';
    const first = await send({ key, text });
    const bytes = await first.text();
    assert.deepEqual([first.status, first.headers.get('idempotent-replayed')], [201, null]);
    for (const at of [0, 1]) {
      const again = await send({ key, text, at });
      assert.deepEqual([again.status, await again.text()], [201, bytes]);
      assert.equal(again.headers.get('idempotent-replayed'), 'true');
      for (const name of ['location', 'content-type'])
        assert.equal(again.headers.get(name), first.headers.get(name), name);
      assert.notEqual(again.headers.get('x-request-id'), first.headers.get('x-request-id'));
    }
    assert.equal(keyed.count, 1);
    assert.equal((await keyed.sample('returnit_http_idempotent_requests_total', 'replayed')) - before, 1);
  });

  it('are refused with other parameters, at any node', async () => {
    const key = randomUUID();
    await (await send({ key })).text();
    const others: readonly Omit<KeyedRequest, 'key'>[] = [
      { json: { grams: 6 } },
      { text: '{"grams":5 }' },
      { json: { grams: 6 }, at: 1 },
    ];
    for (const other of others) {
      const refused = await send({ key, ...other });
      assert.deepEqual([refused.status, (await problemOf(refused)).code], [422, 'IDEMPOTENCY_KEY_REUSED']);
    }
    const cancel = randomUUID();
    await (await send({ key: cancel, path: '/orders/1/cancel' })).text();
    for (const path of ['/orders/2/cancel', '/orders/1/cancel?dry=1']) {
      assert.equal((await problemOf(await send({ key: cancel, path }))).code, 'IDEMPOTENCY_KEY_REUSED', path);
    }
    assert.equal(keyed.count, 2);
  });

  it('are of their principal and route', async () => {
    const key = randomUUID();
    for (const sent of [{}, { subject: 'd' }, { path: '/orders/1/cancel' }]) {
      const answer = await send({ key, ...sent });
      assert.equal(answer.headers.get('idempotent-replayed'), null);
      await answer.text();
    }
    assert.equal(keyed.count, 3);
  });

  it('are not kept where the route or the verb takes no key', async () => {
    for (const path of ['/links', '/open', '/devices']) {
      const key = randomUUID();
      for (let round = 0; round < 2; round += 1) {
        const answer = await send({ key, path });
        assert.deepEqual([answer.status, answer.headers.get('idempotent-replayed')], [201, null], path);
        await answer.text();
      }
    }
    assert.equal(keyed.count, 6);
    assert.equal(
      keyed.plugin.inputs.at(-1)?.headers['idempotency-key']?.length,
      36,
      'the handler sees it all the same',
    );
  });

  it('need a key of 1 to 255 visible characters', async () => {
    for (const key of ['', ' ', 'a b', 'é', 'a'.repeat(256)]) {
      const refused = await send({ key });
      assert.deepEqual([refused.status, (await problemOf(refused)).code], [400, 'IDEMPOTENCY_KEY_INVALID'], key);
    }
    const longest = await send({ key: '~'.repeat(255) });
    assert.equal(longest.status, 201);
    await longest.text();
  });

  it('keep no answer that says "not now": it is done again', async () => {
    const replies: readonly (readonly [number, FakeHandler])[] = [
      ...[408, 409, 412, 425, 429, 502, 503, 504].map((status): readonly [number, FakeHandler] => [
        status,
        () => ({ problem: { status, code: 'ORDER_BUSY', title: 'Busy' } }),
      ]),
      [503, () => Promise.reject(new AppError('PLUGIN_UNAVAILABLE', 'gone'))],
      [503, () => Promise.reject(new AppError('OVERLOADED', 'much'))],
      [503, () => Promise.reject(new AppError('DATABASE_UNREACHABLE', 'away'))],
      [504, () => Promise.reject(new AppError('TIMEOUT', 'late'))],
    ];
    for (const [status, reply] of replies) {
      const key = randomUUID();
      const { handler } = keyed.plugin;
      keyed.plugin.handler = reply;
      assert.equal((await problemOf(await send({ key }))).status, status);
      keyed.plugin.handler = handler;
      const second = await send({ key });
      assert.deepEqual([second.status, second.headers.get('idempotent-replayed')], [201, null], String(status));
      await second.text();
    }
  });

  it('keep no refusal from before the handler: the key is free for the corrected request', async () => {
    const key = randomUUID();
    for (const [sent, code] of [
      [{ json: { grams: 0 } }, 'VALIDATION_FAILED'],
      [{ text: '{' }, 'MALFORMED_JSON'],
    ] as const) {
      assert.equal((await problemOf(await send({ key, ...sent }))).code, code);
    }
    assert.equal((await send({ key })).status, 201);
  });

  it('keep what the handler refused, and what failed after it began', async () => {
    const failures: readonly (readonly [number, string, FakeHandler])[] = [
      [422, 'ORDER_WRONG', () => ({ problem: { status: 422, code: 'ORDER_WRONG', title: 'Wrong', detail: 'no' } })],
      [500, 'PLUGIN_FAILED', () => Promise.reject(new Error('thrown'))],
      [500, 'INVALID_RESPONSE', () => ({ status: 299 })],
    ];
    for (const [status, code, handler] of failures) {
      const key = randomUUID();
      keyed.plugin.handler = handler;
      const first = await send({ key });
      const text = await first.text();
      keyed.plugin.handler = () => assert.fail('it must not be called again');
      for (const at of [0, 1]) {
        const again = await send({ key, at });
        assert.deepEqual([again.status, await again.text()], [status, text]);
        assert.equal(again.headers.get('content-type'), 'application/problem+json');
      }
      assert.equal((JSON.parse(text) as { code: string }).code, code);
    }
  });

  it('with an answer that is too large are told so, and not done again', async () => {
    const [key, before] = [randomUUID(), await keyed.sample('returnit_http_idempotent_answers_total', 'too_large')];
    keyed.plugin.handler = () => ({
      status: 201,
      body: 'x'.repeat(5000),
      headers: { location: `/orders/${(keyed.count += 1)}` },
    });
    assert.equal((await (await send({ key })).text()).length, 5002);
    const again = await send({ key, at: 1 });
    assert.equal(again.headers.get('location'), '/orders/1');
    const problem = await problemOf(again);
    assert.deepEqual([problem.status, problem.code, keyed.count], [409, 'IDEMPOTENCY_ANSWER_NOT_KEPT', 1]);
    assert.equal((await keyed.sample('returnit_http_idempotent_answers_total', 'too_large')) - before, 1);
  });

  it('keep an answer without a body', async () => {
    const key = randomUUID();
    keyed.plugin.handler = () => ({ status: 204 });
    for (const replayed of [null, 'true']) {
      const answer = await send({ key });
      assert.deepEqual([answer.status, answer.headers.get('idempotent-replayed'), answer.body], [204, replayed, null]);
    }
  });

  it('are forgotten after the retention, in batches, and are new even before they are swept', async () => {
    const key = randomUUID();
    await (await send({ key })).text();
    await keyed.access.database.query({
      name: 'age_keys',
      text: `update returnit.idempotency_key set created_at = now() - interval '25 hours'`,
      values: [],
    });
    const again = await send({ key, json: { grams: 9 } });
    assert.deepEqual([again.status, again.headers.get('idempotent-replayed'), keyed.count], [201, null, 2]);
    await again.text();
    await keyed.access.database.query({
      name: 'fill_keys',
      text: `insert into returnit.idempotency_key (id, fingerprint, claim, locked_until, created_at)
        select sha256(number::text::bytea), sha256(''), gen_random_uuid(), now(), now() - interval '2 days'
        from generate_series(1, 2500) as number`,
      values: [],
    });
    assert.ok((await keyed.node(1).idempotency.sweep(new AbortController().signal)) >= 2500);
    const left = await keyed.access.database.query({
      name: 'list_keys',
      text: `select min(created_at) > now() - interval '1 hour' as is_fresh from returnit.idempotency_key`,
      values: [],
    });
    assert.deepEqual(left.rows, [{ is_fresh: true }]);
  });
});
