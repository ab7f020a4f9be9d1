import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { createTurns } from '#core/http/idempotency/turns.ts';
import { until } from '../../support/until.ts';
import { problemOf } from './http-problem.ts';
import { startIdempotencyFixture, type IdempotencyFixture, type KeyedRequest } from './idempotency-fixture.ts';

describe('requests with an Idempotency-Key, while one with it is under way', () => {
  let keyed: IdempotencyFixture;
  before(async () => {
    keyed = await startIdempotencyFixture();
  });
  after(() => keyed.stop());
  beforeEach(() => keyed.reset());

  const send = (sent: KeyedRequest): Promise<Response> => keyed.send(sent);

  it('wait for the one that is being done, on this node and on another, then get its answer', async () => {
    const key = randomUUID();
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    keyed.plugin.handler = async () => {
      await opened;
      return { status: 201, body: { number: (keyed.count += 1) } };
    };
    const all = Array.from({ length: 40 }, (_, index) => send({ key, at: index % 2 }));
    await until('the handler runs', () =>
      keyed.plugin.inputs.some(({ headers }) => headers['idempotency-key'] === key),
    );
    open();
    const answers = await Promise.all(all);
    const texts = new Set(await Promise.all(answers.map((answer) => answer.text())));
    assert.deepEqual([...texts], ['{"number":1}']);
    assert.equal(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true').length, 39);
  });

  it('are answered 409 when it takes too long', async () => {
    const key = randomUUID();
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    keyed.plugin.handler = async () => {
      await opened;
      return { status: 201, body: {} };
    };
    const first = send({ key });
    await until('the handler runs', () =>
      keyed.plugin.inputs.some(({ headers }) => headers['idempotency-key'] === key),
    );
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
    keyed.plugin.handler = async (_input, { signal }) => {
      await opened;
      isAborted = signal.aborted;
      return { status: 201, body: { number: (keyed.count += 1) } };
    };
    const client = new AbortController();
    const token = await keyed.node().authenticator.issueToken({ role: 'customer', subject: 'c' });
    const left = fetch(`${keyed.node().url}/orders`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'idempotency-key': key, 'content-type': 'application/json' },
      body: '{"grams":5}',
      signal: client.signal,
    });
    await until('the handler runs', () =>
      keyed.plugin.inputs.some(({ headers }) => headers['idempotency-key'] === key),
    );
    client.abort();
    await assert.rejects(left);
    open();
    const again = await send({ key });
    assert.deepEqual([again.status, await again.text(), isAborted], [201, '{"number":1}', false]);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
  });

  it('are refused while the database is away, and done by nobody', async () => {
    keyed.access.setAway(true);
    try {
      const refused = await send({ key: randomUUID() });
      assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '5']);
      assert.equal((await problemOf(refused)).code, 'DATABASE_UNREACHABLE');
      assert.equal(keyed.count, 0);
    } finally {
      keyed.access.setAway(false);
    }
  });

  it('are answered when the answer cannot be kept, and done again later', async () => {
    const key = randomUUID();
    const isHeld = async (): Promise<boolean> => {
      const held = await keyed.access.database.query({
        name: 'count_running',
        text: 'select from returnit.idempotency_key where status is null',
        values: [],
      });
      return held.rowCount === 1;
    };
    keyed.plugin.handler = () => {
      keyed.access.setAway(true);
      return { status: 201, body: { number: (keyed.count += 1) } };
    };
    const first = await send({ key }).finally(() => keyed.access.setAway(false));
    assert.equal(await first.text(), '{"number":1}');
    assert.ok(await isHeld());
    assert.equal((await problemOf(await send({ key, at: 2 }))).code, 'IDEMPOTENCY_IN_PROGRESS', 'its lock is not over');
    await keyed.access.database.query({
      name: 'end_locks',
      text: `update returnit.idempotency_key set locked_until = now() - interval '1 second' where status is null`,
      values: [],
    });
    keyed.plugin.handler = () => ({ status: 201, body: { number: (keyed.count += 1) } });
    const other = await send({ key, at: 1, json: { grams: 6 } });
    assert.equal((await problemOf(other)).code, 'IDEMPOTENCY_KEY_REUSED', 'a lost claim is of its parameters');
    assert.equal(await (await send({ key, at: 1 })).text(), '{"number":2}');
    assert.equal(await keyed.sample('returnit_http_idempotent_answers_total', 'failed'), 1);
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
        keyed.plugin.handler = async (input) => {
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
