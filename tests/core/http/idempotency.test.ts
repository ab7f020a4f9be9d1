import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { AppError } from '#core/errors/app-error.ts';
import { createTurns } from '#core/http/idempotency/turns.ts';
import { readSample } from '../../support/platform.ts';
import { until } from '../../support/until.ts';
import { startAccessFixture, type AccessFixture, type AccessNode } from './access-fixture.ts';
import { createFakePlugin, type FakeHandler, type FakePlugin } from './http-fixture.ts';
import { problemOf } from './http-problem.ts';

const body = { type: 'object', properties: { grams: { type: 'integer', minimum: 1 } } };

describe('requests with an Idempotency-Key', () => {
  let access: AccessFixture;
  const nodes: AccessNode[] = [];
  let plugin: FakePlugin;
  let count = 0;

  before(async () => {
    access = await startAccessFixture();
    const config = { idempotencyWaitMs: 60_000, idempotencyAnswerMaxBytes: 2000 };
    // The third has no patience.
    for (const idempotencyWaitMs of [60_000, 60_000, 100])
      nodes.push(await access.node({ ...config, idempotencyWaitMs }));
    plugin = createFakePlugin();
    for (const node of nodes) {
      await node.route(plugin, { verb: 'post', path: '/orders', body, response: { 201: {}, 204: {} } });
      const query = { type: 'object', properties: { dry: { type: 'string' } } };
      await node.route(plugin, { verb: 'post', path: '/orders/{orderId}/cancel', query, response: { 201: {} } });
      await node.route(plugin, { verb: 'post', path: '/links', response: { 201: {} }, idempotency: false });
      await node.route(plugin, { verb: 'post', path: '/open', roles: 'public', response: { 201: {} } });
      const secret = { type: 'object', properties: { password: { type: 'string' } } };
      await node.route(plugin, { verb: 'post', path: '/devices', response: { 201: secret } });
    }
  });
  after(() => access.stop());
  beforeEach(() => {
    count = 0;
    plugin.handler = () => ({ status: 201, body: { number: (count += 1) }, headers: { location: `/orders/${count}` } });
  });

  const node = (index = 0): AccessNode => nodes[index] ?? assert.fail();

  interface Sent {
    readonly key: string;
    readonly path?: string;
    readonly json?: unknown;
    readonly text?: string;
    readonly subject?: string;
    readonly at?: number;
  }
  const send = ({ key, path = '/orders', json = { grams: 5 }, text, subject = 'c', at = 0 }: Sent): Promise<Response> =>
    node(at).request(path, {
      method: 'POST',
      role: 'customer',
      subject,
      headers: { 'idempotency-key': key, ...(text === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(path === '/orders' ? (text === undefined ? { json } : { body: text }) : {}),
    });
  const sample = async (name: string, outcome: string): Promise<number> =>
    readSample(await node().metrics(), name, { outcome });

  it('are done once: status, headers and body are the same byte for byte', async () => {
    const [key, before] = [randomUUID(), await sample('returnit_http_idempotent_requests_total', 'replayed')];
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
    assert.equal(count, 1);
    assert.equal((await sample('returnit_http_idempotent_requests_total', 'replayed')) - before, 1);
  });

  it('are refused with other parameters, at any node', async () => {
    const key = randomUUID();
    await (await send({ key })).text();
    const others: readonly Omit<Sent, 'key'>[] = [
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
    assert.equal(count, 2);
  });

  it('are of their principal and route', async () => {
    const key = randomUUID();
    for (const sent of [{}, { subject: 'd' }, { path: '/orders/1/cancel' }]) {
      const answer = await send({ key, ...sent });
      assert.equal(answer.headers.get('idempotent-replayed'), null);
      await answer.text();
    }
    assert.equal(count, 3);
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
    assert.equal(count, 6);
    assert.equal(plugin.inputs.at(-1)?.headers['idempotency-key']?.length, 36, 'the handler sees it all the same');
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
      const { handler } = plugin;
      plugin.handler = reply;
      assert.equal((await problemOf(await send({ key }))).status, status);
      plugin.handler = handler;
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
      plugin.handler = handler;
      const first = await send({ key });
      const text = await first.text();
      plugin.handler = () => assert.fail('it must not be called again');
      for (const at of [0, 1]) {
        const again = await send({ key, at });
        assert.deepEqual([again.status, await again.text()], [status, text]);
        assert.equal(again.headers.get('content-type'), 'application/problem+json');
      }
      assert.equal((JSON.parse(text) as { code: string }).code, code);
    }
  });

  it('with an answer that is too large are told so, and not done again', async () => {
    const [key, before] = [randomUUID(), await sample('returnit_http_idempotent_answers_total', 'too_large')];
    plugin.handler = () => ({ status: 201, body: 'x'.repeat(5000), headers: { location: `/orders/${(count += 1)}` } });
    assert.equal((await (await send({ key })).text()).length, 5002);
    const again = await send({ key, at: 1 });
    assert.equal(again.headers.get('location'), '/orders/1');
    const problem = await problemOf(again);
    assert.deepEqual([problem.status, problem.code, count], [409, 'IDEMPOTENCY_ANSWER_NOT_KEPT', 1]);
    assert.equal((await sample('returnit_http_idempotent_answers_total', 'too_large')) - before, 1);
  });

  it('keep an answer without a body', async () => {
    const key = randomUUID();
    plugin.handler = () => ({ status: 204 });
    for (const replayed of [null, 'true']) {
      const answer = await send({ key });
      assert.deepEqual([answer.status, answer.headers.get('idempotent-replayed'), answer.body], [204, replayed, null]);
    }
  });

  it('wait for the one that is being done, on this node and on another, then get its answer', async () => {
    const key = randomUUID();
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    plugin.handler = async () => {
      await opened;
      return { status: 201, body: { number: (count += 1) } };
    };
    const all = Array.from({ length: 40 }, (_, index) => send({ key, at: index % 2 }));
    await until('the handler runs', () => plugin.inputs.some(({ headers }) => headers['idempotency-key'] === key));
    open();
    const answers = await Promise.all(all);
    const texts = new Set(await Promise.all(answers.map((answer) => answer.text())));
    assert.deepEqual([...texts], ['{"number":1}']);
    assert.equal(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true').length, 39);
  });

  it('are answered 409 when it takes too long', async () => {
    const key = randomUUID();
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    plugin.handler = async () => {
      await opened;
      return { status: 201, body: {} };
    };
    const first = send({ key });
    await until('the handler runs', () => plugin.inputs.some(({ headers }) => headers['idempotency-key'] === key));
    // The second of them finds another in its place on its own node.
    for (const refused of await Promise.all([send({ key, at: 2 }), send({ key, at: 2 })])) {
      assert.equal(refused.headers.get('retry-after'), '1');
      assert.deepEqual([refused.status, (await problemOf(refused)).code], [409, 'IDEMPOTENCY_IN_PROGRESS']);
    }
    const other = await send({ key, at: 1, json: { grams: 7 } });
    assert.equal((await problemOf(other)).code, 'IDEMPOTENCY_KEY_REUSED', 'others are told at once');
    open();
    assert.equal((await first).status, 201);
  });

  it('are carried through when their client goes away: it comes back for the answer', async () => {
    const key = randomUUID();
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    let isAborted: boolean | undefined;
    plugin.handler = async (_input, { signal }) => {
      await opened;
      isAborted = signal.aborted;
      return { status: 201, body: { number: (count += 1) } };
    };
    const client = new AbortController();
    const token = await node().authenticator.issueToken({ role: 'customer', subject: 'c' });
    const left = fetch(`${node().url}/orders`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'idempotency-key': key, 'content-type': 'application/json' },
      body: '{"grams":5}',
      signal: client.signal,
    });
    await until('the handler runs', () => plugin.inputs.some(({ headers }) => headers['idempotency-key'] === key));
    client.abort();
    await assert.rejects(left);
    open();
    const again = await send({ key });
    assert.deepEqual([again.status, await again.text(), isAborted], [201, '{"number":1}', false]);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
  });

  it('are refused while the database is away, and done by nobody', async () => {
    access.setAway(true);
    try {
      const refused = await send({ key: randomUUID() });
      assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '5']);
      assert.equal((await problemOf(refused)).code, 'DATABASE_UNREACHABLE');
      assert.equal(count, 0);
    } finally {
      access.setAway(false);
    }
  });

  it('are answered when the answer cannot be kept, and done again later', async () => {
    const key = randomUUID();
    const isHeld = async (): Promise<boolean> => {
      const held = await access.database.query({
        name: 'count_running',
        text: 'select from returnit.idempotency_key where status is null',
        values: [],
      });
      return held.rowCount === 1;
    };
    plugin.handler = () => {
      access.setAway(true);
      return { status: 201, body: { number: (count += 1) } };
    };
    const first = await send({ key }).finally(() => access.setAway(false));
    assert.equal(await first.text(), '{"number":1}');
    assert.ok(await isHeld());
    assert.equal((await problemOf(await send({ key, at: 2 }))).code, 'IDEMPOTENCY_IN_PROGRESS', 'its lock is not over');
    await access.database.query({
      name: 'end_locks',
      text: `update returnit.idempotency_key set locked_until = now() - interval '1 second' where status is null`,
      values: [],
    });
    plugin.handler = () => ({ status: 201, body: { number: (count += 1) } });
    const other = await send({ key, at: 1, json: { grams: 6 } });
    assert.equal((await problemOf(other)).code, 'IDEMPOTENCY_KEY_REUSED', 'a lost claim is of its parameters');
    assert.equal(await (await send({ key, at: 1 })).text(), '{"number":2}');
    assert.equal(await sample('returnit_http_idempotent_answers_total', 'failed'), 1);
  });

  it('are forgotten after the retention, in batches, and are new even before they are swept', async () => {
    const key = randomUUID();
    await (await send({ key })).text();
    await access.database.query({
      name: 'age_keys',
      text: `update returnit.idempotency_key set created_at = now() - interval '25 hours'`,
      values: [],
    });
    const again = await send({ key, json: { grams: 9 } });
    assert.deepEqual([again.status, again.headers.get('idempotent-replayed'), count], [201, null, 2]);
    await again.text();
    await access.database.query({
      name: 'fill_keys',
      text: `insert into returnit.idempotency_key (id, fingerprint, claim, locked_until, created_at)
        select sha256(number::text::bytea), sha256(''), gen_random_uuid(), now(), now() - interval '2 days'
        from generate_series(1, 2500) as number`,
      values: [],
    });
    assert.ok((await node(1).idempotency.sweep(new AbortController().signal)) >= 2500);
    const left = await access.database.query({
      name: 'list_keys',
      text: `select min(created_at) > now() - interval '1 hour' as is_fresh from returnit.idempotency_key`,
      values: [],
    });
    assert.deepEqual(left.rows, [{ is_fresh: true }]);
  });

  it('run their handler once whatever comes in which order, at which node', async () => {
    const step = fc.record({
      key: fc.constantFrom('k1', 'k2', 'k3'),
      grams: fc.constantFrom(1, 2),
      at: fc.constantFrom(0, 1),
      isTogether: fc.boolean(),
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        run += 1;
        const done: string[] = [];
        plugin.handler = async (input) => {
          done.push(`${input.headers['idempotency-key']}`);
          await new Promise((resolve) => setImmediate(resolve));
          return { status: 201, body: input.body };
        };
        const firstGrams = new Map<string, number>();
        const sendOne = async (key: string, grams: number, at: number): Promise<void> => {
          const answer = await send({ key, json: { grams }, at });
          const got = (await answer.json()) as { grams?: number; code?: string };
          if (answer.status !== 201) {
            assert.deepEqual([answer.status, got.code], [422, 'IDEMPOTENCY_KEY_REUSED']);
            return;
          }
          assert.equal(got.grams, grams);
          assert.equal(firstGrams.get(key) ?? grams, grams, 'one key has one body');
          firstGrams.set(key, grams);
        };
        const pending: Promise<void>[] = [];
        for (const { key, grams, at, isTogether } of steps) {
          const sent = sendOne(`${run}-${key}`, grams, at);
          if (isTogether) pending.push(sent);
          else await sent;
        }
        await Promise.all(pending);
        assert.deepEqual(done.toSorted(), [...new Set(done)].toSorted());
      }),
      { numRuns: 25 },
    );
  });
});

describe('createTurns()', () => {
  it('gives the next one the turn when nothing came of it', async () => {
    const turns = createTurns<string | undefined>();
    const first = await turns.wait('a', performance.now() + 60_000);
    assert.ok(first.kind === 'yours');
    const second = turns.wait('a', performance.now() + 60_000);
    assert.equal((await turns.wait('b', 0)).kind, 'yours', 'other keys do not wait');
    assert.equal((await turns.wait('a', performance.now())).kind, 'late');
    first.finish('done');
    assert.deepEqual(await second, { kind: 'over', result: 'done' });
    assert.equal((await turns.wait('a', 0)).kind, 'yours');
  });
});
