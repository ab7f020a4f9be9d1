import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readSample } from '../../support/platform.ts';
import { startAccessFixture, type AccessFixture, type AccessNode } from './access-fixture.ts';
import { createFakePlugin, type FakePlugin } from './http-fixture.ts';
import { problemOf } from './http-problem.ts';

const noonMs = Date.parse('2026-05-04T12:00:00Z');
const dayMs = 86_400_000;

describe("partners' budgets", () => {
  let access: AccessFixture;
  let nodes: readonly [AccessNode, AccessNode];
  let plugin: FakePlugin;
  let nowMs = noonMs;

  before(async () => {
    access = await startAccessFixture();
    const config = { partnerRequestsPerDay: 100, partnerOrdersPerDay: 10, budgetSliceMax: 20 };
    nodes = [await access.node(config, () => nowMs), await access.node(config, () => nowMs)];
    plugin = createFakePlugin();
    for (const node of nodes) {
      await node.route(plugin, { path: '/orders', roles: ['partner'], response: { 200: {}, 201: {} } });
      const roles = ['customer', 'partner'];
      await node.route(plugin, { path: '/orders', verb: 'post', roles, budget: 'orders', response: { 201: {} } });
    }
    plugin.handler = ({ principal }) => ({ status: principal.id === 'x' ? 200 : 201, body: {} });
  });
  after(() => access.stop());

  const order = (subject: string, at: 0 | 1, headers: Record<string, string> = {}): Promise<Response> =>
    nodes[at].request('/orders', { method: 'POST', role: 'partner', subject, headers });
  const statusesOf = async (answers: readonly Promise<Response>[]): Promise<Record<number, number>> => {
    const counts: Record<number, number> = {};
    for (const answer of await Promise.all(answers)) {
      await answer.text();
      counts[answer.status] = (counts[answer.status] ?? 0) + 1;
    }
    return counts;
  };
  const read = async (
    partnerId: string,
    at: 0 | 1 = 0,
  ): Promise<Record<string, { used: number; perDay: number; isOwn: boolean }>> => {
    const answer = await nodes[at].request(`/partners/${partnerId}/budgets`, { role: 'ops' });
    return (await answer.json()) as Record<string, { used: number; perDay: number; isOwn: boolean }>;
  };
  const set = async (partnerId: string, json: object): Promise<number> => {
    const answer = await nodes[0].request(`/partners/${partnerId}/budgets`, { method: 'PUT', role: 'ops', json });
    await answer.text();
    return answer.status;
  };

  it('are one for all nodes, to the last order, whoever is asked', async () => {
    const answers = Array.from({ length: 30 }, (_, index) => order('shared', index % 2 === 0 ? 0 : 1));
    assert.deepEqual(await statusesOf(answers), { 201: 10, 429: 20 });
    for (const at of [0, 1] as const) {
      const refused = await order('shared', at);
      assert.equal(refused.headers.get('retry-after'), String(dayMs / 2 / 1000), 'until midnight in UTC');
      const problem = await problemOf(refused);
      assert.deepEqual([problem.code, refused.status], ['DAILY_BUDGET_SPENT', 429]);
      assert.match(problem.detail, /orders of today/);
    }
    assert.deepEqual((await read('shared'))['orders'], { used: 10, perDay: 10, isOwn: false });
    assert.ok(readSample(await nodes[0].metrics(), 'returnit_http_rate_limited_total', { policy: 'orders-day' }) > 0);
  });

  it('are not spent by what failed, by answers that are repeated, or by others than partners', async () => {
    const { handler } = plugin;
    plugin.handler = () => ({ problem: { status: 422, code: 'ORDER_WRONG', title: 'Wrong' } });
    assert.deepEqual(await statusesOf(Array.from({ length: 15 }, () => order('careful', 0))), { 422: 15 });
    plugin.handler = handler;
    const key = { 'idempotency-key': 'one' };
    for (let round = 0; round < 15; round += 1)
      assert.deepEqual(await statusesOf([order('careful', 0, key)]), { 201: 1 });
    assert.equal((await read('careful'))['orders']?.used, 1);
    const asCustomer = Array.from({ length: 15 }, () =>
      nodes[0].request('/orders', { method: 'POST', role: 'customer', subject: 'careful' }),
    );
    assert.deepEqual(await statusesOf(asCustomer), { 201: 15 });
  });

  it('that are spent leave the key free for the next day', async () => {
    assert.equal(await set('tomorrow', { orders: 0 }), 200);
    const key = { 'idempotency-key': 'tomorrow' };
    assert.deepEqual(await statusesOf([order('tomorrow', 0, key)]), { 429: 1 });
    assert.equal(await set('tomorrow', { orders: null }), 200);
    nowMs += 5000;
    const done = await order('tomorrow', 0, key);
    assert.deepEqual([done.status, done.headers.get('idempotent-replayed')], [201, null]);
    await done.text();
  });

  it('hold for every request', async () => {
    const get = (at: 0 | 1): Promise<Response> => nodes[at].request('/orders', { role: 'partner', subject: 'x' });
    const counts = await statusesOf(Array.from({ length: 130 }, (_, index) => get(index % 2 === 0 ? 0 : 1)));
    assert.deepEqual(counts, { 200: 100, 429: 30 });
  });

  it('can be raised and lowered by ops, and are read by the partner itself', async () => {
    assert.deepEqual(await statusesOf(Array.from({ length: 12 }, () => order('raised', 0))), { 201: 10, 429: 2 });
    assert.equal(await set('raised', { orders: 15 }), 200);
    nowMs += 5000;
    assert.deepEqual(await statusesOf(Array.from({ length: 7 }, () => order('raised', 0))), { 201: 5, 429: 2 });
    assert.deepEqual((await read('raised'))['orders'], { used: 15, perDay: 15, isOwn: true });
    const own = await nodes[1].request('/partners/raised/budgets', { role: 'partner', subject: 'raised' });
    assert.equal(own.status, 200);
    await own.text();
    const foreign = await nodes[1].request('/partners/raised/budgets', { role: 'partner', subject: 'shared' });
    assert.equal((await problemOf(foreign)).status, 404);
    const forbidden = await nodes[1].request('/partners/raised/budgets', { method: 'PUT', role: 'partner', json: {} });
    assert.equal((await problemOf(forbidden)).code, 'FORBIDDEN');
    for (const wrong of [{}, { orders: -1 }, { orders: 1.5 }, { parcels: 1 }])
      assert.equal(await set('raised', wrong), 422);
  });

  it('are set by who has seen them: one of two at the same time, on whichever node', async () => {
    const put = async (at: 0 | 1, json: object, ifMatch: string): Promise<string | number> => {
      const headers = { 'if-match': ifMatch };
      const answer = await nodes[at].request('/partners/two/budgets', { method: 'PUT', role: 'ops', json, headers });
      const { code } = (await answer.json()) as { code?: string };
      return code ?? answer.status;
    };
    const versionOf = async (): Promise<unknown> => (await read('two'))['version'];
    assert.equal(await versionOf(), 0);
    const first = await Promise.all([put(0, { orders: 5 }, '"0"'), put(1, { orders: 6, requests: 7 }, '"0"')]);
    assert.deepEqual(first.map(String).toSorted(), ['200', 'BUDGETS_CHANGED']);
    const { orders, requests } = await read('two');
    const expected = first[0] === 200 ? [5, 100] : [6, 7];
    assert.deepEqual([orders?.perDay, requests?.perDay], expected, 'of one that is refused nothing is set');
    const second = await Promise.all([1, 2, 3].map((limit) => put(limit === 1 ? 0 : 1, { orders: limit }, '"1"')));
    assert.deepEqual(second.map(String).toSorted(), ['200', 'BUDGETS_CHANGED', 'BUDGETS_CHANGED']);
    for (const wrong of ['"1"', '"7"', '1', 'W/"2"'])
      assert.equal(await put(0, { orders: 9 }, wrong), 'BUDGETS_CHANGED');
    assert.equal(await put(0, { orders: null }, '*'), 200);
    assert.deepEqual([await versionOf(), (await read('two'))['orders']?.isOwn], [3, false]);
  });

  it('of a body of lines are spent line by line; what is left over is refused by itself', async () => {
    const reader = createFakePlugin('bulk');
    const codes: string[] = [];
    await nodes[0].route(reader, {
      path: '/bulk',
      verb: 'post',
      roles: ['partner', 'ops'],
      bodyAs: 'lines',
      body: { type: 'object', required: ['grams'], properties: { grams: { type: 'integer' } } },
      budget: 'orders',
    });
    reader.handler = async ({ body }) => {
      for (;;) {
        const { lines = [], done } = await nodes[0].read(reader, body);
        codes.push(...lines.map((line) => ('problem' in line ? line.problem.code : 'taken')));
        if (done) return { status: 200, body: {} };
      }
    };
    const send = async (role: 'partner' | 'ops'): Promise<Record<string, number>> => {
      const text = `${'{"grams":1}\n'.repeat(6)}{"grams":"x"}\n${'{"grams":1}\n'.repeat(8)}`;
      codes.length = 0;
      const headers = { 'content-type': 'application/x-ndjson' };
      const answer = await nodes[0].request('/bulk', { method: 'POST', role, subject: 'bulky', body: text, headers });
      assert.equal(answer.status, 200);
      await answer.text();
      return Object.fromEntries(
        [...new Set(codes)].map((code) => [code, codes.filter((each) => each === code).length]),
      );
    };
    assert.deepEqual(await send('partner'), { taken: 10, VALIDATION_FAILED: 1, DAILY_BUDGET_SPENT: 4 });
    assert.deepEqual(await send('partner'), { VALIDATION_FAILED: 1, DAILY_BUDGET_SPENT: 14 });
    assert.deepEqual(await send('ops'), { taken: 14, VALIDATION_FAILED: 1 });
  });

  it('begin anew each day', async () => {
    assert.deepEqual(await statusesOf(Array.from({ length: 11 }, () => order('daily', 1))), { 201: 10, 429: 1 });
    nowMs = noonMs + dayMs;
    assert.deepEqual(await statusesOf([order('daily', 1)]), { 201: 1 });
  });

  it('give back what a node has not used when it stops', async () => {
    const third = await access.node({ partnerOrdersPerDay: 1000, budgetSliceMax: 50 }, () => nowMs);
    await third.budgets.spend('stopped', 'orders');
    const usedOf = async (): Promise<unknown> =>
      (
        await access.database.query({
          name: 'used_of',
          text: `select used::integer from returnit.partner_budget_use where partner_id = 'stopped' and budget = 'orders'`,
          values: [],
        })
      ).rows;
    assert.deepEqual(await usedOf(), [{ used: 50 }]);
    await third.budgets.stop();
    assert.deepEqual(await usedOf(), [{ used: 1 }]);
  });

  it('are not counted while the database is away', async () => {
    access.setAway(true);
    try {
      const answers = Array.from({ length: 5 }, () =>
        nodes[0].request('/orders', { role: 'partner', subject: 'away' }),
      );
      assert.deepEqual(await statusesOf(answers), { 201: 5 });
    } finally {
      access.setAway(false);
    }
    assert.ok(readSample(await nodes[0].metrics(), 'returnit_http_budget_leases_total', { outcome: 'failed' }) > 0);
    assert.ok(nodes[0].logs.some(({ msg }) => String(msg).startsWith('Cannot take a slice of a budget')));
  });
});
