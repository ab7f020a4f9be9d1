import assert from 'node:assert/strict';
import { randomUUID, randomUUIDv7 } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Principal } from '#plugin-api';
import { plugin } from '../../../plugins/tracking/plugin.ts';
import { until } from '../../support/until.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';

const pattern = 'orders/{orderId}/position';
const path = '/tracking/orders/{orderId}/shares';
const customer: Principal = { id: 'c1', role: 'customer' };
const partner: Principal = { id: 'p1', role: 'partner' };
const ops: Principal = { id: 'o1', role: 'ops' };
const statuses = [
  'created',
  'scheduled',
  'assigned',
  'on_the_way',
  'arrived',
  'pickup_failed',
  'picked_up',
  'delivered',
  'completed',
  'cancelled',
];

describe('share links', () => {
  let data: PluginDatabase;
  let running: RunningPlugin;
  let orderId: string;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders', 'drivers');
  });
  after(() => data.stop());
  beforeEach(async () => {
    running = await runPlugin(plugin, data.db);
    orderId = randomUUIDv7();
  });

  const setOrder = async (status: string, id = orderId): Promise<void> => {
    // What is completed cannot be changed to anything else.
    await data.sql('delete from orders.orders where order_id = $1', [id]);
    await data.sql(
      `insert into orders.orders (order_id, content_hash, created_by_role, created_by, customer_id, partner_id, driver_id, status,
          pickup, window_start, window_end, destination, amount_minor, currency)
        values ($1, 'x', 'partner', 'p1', 'c1', 'p1', 'd1', $2, '{}', now(), now() + interval '1 hour', '{}', 1, 'EUR')`,
      [id, status],
    );
  };
  const create = (principal: Principal, body: object = {}, headers: Record<string, string> = {}): Promise<Reply> =>
    running.request(`POST ${path}`, { principal, params: { orderId }, body, headers });
  const revoke = (principal: Principal, shareId: string, id = orderId): Promise<Reply> =>
    running.request(`DELETE ${path}/{shareId}`, { principal, params: { orderId: id, shareId } });
  const watch = async (shareId: string, id = orderId): Promise<boolean | string> => {
    const principal: Principal = { id: `link:${shareId}`, role: 'anonymous' };
    const decision = await running.watch(pattern, principal, { orderId: id }, shareId);
    return decision.allowed || decision.reason;
  };
  const shareIdOf = ({ body }: Reply): string => String(body['shareId']);

  it('are made by the customer, the partner and ops, for the channel of their order', async () => {
    await setOrder('assigned');
    for (const principal of [customer, partner, ops]) {
      const reply = await create(principal, { expiresInSeconds: 60 });
      assert.equal(reply.status, 201);
      const channel = `orders/${orderId}/position`;
      assert.equal(reply.body['channel'], channel);
      assert.equal(reply.body['token'], `link ${shareIdOf(reply)} to ${channel}`);
      assert.equal(reply.body['createdBy'], `${principal.role}:${principal.id}`);
    }
    const list = await running.request(`GET ${path}`, { principal: customer, params: { orderId } });
    assert.equal((list.body['shares'] as unknown[]).length, 3);
    assert.doesNotMatch(JSON.stringify(list.body), /link /, 'a token is shown once');
    assert.equal(running.counted('returnit_tracking_shares_total', { outcome: 'created' }), 3);
    assert.doesNotMatch(JSON.stringify(running.recorded.logs), /link [0-9a-f]{8}-/);
  });

  it('are made by nobody else, for no order that is over, for a minute to a week, and ten at a time', async () => {
    await setOrder('assigned');
    for (const stranger of [
      { id: 'c2', role: 'customer' },
      { id: 'p2', role: 'partner' },
      { id: 'p1', role: 'customer' },
    ] as const) {
      assert.equal((await create(stranger)).code, 'POSITION_NOT_FOUND');
    }
    await assert.rejects(create({ id: 'd1', role: 'driver' }), /not for them/);
    for (const expiresInSeconds of [59, 604_801]) {
      assert.equal((await create(customer, { expiresInSeconds })).code, 'VALIDATION_FAILED');
    }
    for (let made = 0; made < 10; made += 1) assert.equal((await create(customer)).status, 201);
    const tooMany = await create(customer);
    assert.deepEqual([tooMany.status, tooMany.code], [409, 'SHARES_TOO_MANY']);
    for (const status of ['completed', 'cancelled']) {
      await setOrder(status);
      assert.equal((await create(customer)).code, 'ORDER_OVER');
    }
    assert.equal(running.counted('returnit_tracking_shares_total', { outcome: 'refused' }), 6);
  });

  it('are one for each key, also at once, and the last of ten can be asked for again', async () => {
    await setOrder('assigned');
    const key = (text: string) => ({ 'idempotency-key': text });
    const replies = await Promise.all(Array.from({ length: 5 }, () => create(customer, {}, key('a'))));
    assert.deepEqual([...new Set(replies.map(({ status }) => status))], [201]);
    assert.equal(new Set(replies.map(shareIdOf)).size, 1);
    const [first] = replies;
    assert.ok(first !== undefined);
    assert.equal(running.counted('returnit_tracking_shares_total', { outcome: 'created' }), 1);
    const others = [await create(customer, {}, key('b')), await create(partner, {}, key('a')), await create(customer)];
    assert.equal(new Set([first, ...others].map(shareIdOf)).size, 4, 'another key, another caller, none');
    for (let made = 4; made < 10; made += 1) await create(customer);
    assert.equal((await create(customer)).code, 'SHARES_TOO_MANY');
    const again = await create(customer, {}, key('a'));
    assert.deepEqual([again.status, again.body], [201, first.body]);
    await revoke(customer, shareIdOf(first));
    const late = await create(customer, {}, key('a'));
    assert.notEqual(late.body['revokedAt'], null);
    assert.notEqual(await watch(shareIdOf(late)), true, 'what was revoked stays so');
  });

  it('are ten at a time also when many are asked for at once', async () => {
    await setOrder('assigned');
    // All wait at the table, and go on in the same moment.
    const replies = await data.db.transaction(async (tx) => {
      await tx.query({ name: 'lock_table', text: 'lock table share_links in exclusive mode' }, []);
      const asked = Array.from({ length: 15 }, () => create(customer));
      await until('all wait', async () => {
        const waiting = await data.sql(
          "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        );
        return waiting.length === 15;
      });
      return { asked };
    });
    const codes = (await Promise.all(replies.asked)).map(({ status, code }) => code ?? status);
    assert.equal(codes.filter((code) => code === 201).length, 10);
    assert.equal(codes.filter((code) => code === 'SHARES_TOO_MANY').length, 5);
  });

  it('are for the channel that positions go to, however the order was written', async () => {
    await setOrder('on_the_way');
    const params = { orderId: orderId.toUpperCase() };
    const { body } = await running.request(`POST ${path}`, { principal: customer, params, body: {} });
    assert.equal(body['channel'], `orders/${orderId}/position`);
    assert.equal((await running.watch(pattern, customer, params)).allowed, false);
    assert.equal((await running.watch(pattern, customer, { orderId })).allowed, true);
  });

  it("show the driver from 'on the way' to the completion, before and after that nothing", async () => {
    await setOrder('created');
    const shareId = shareIdOf(await create(ops));
    for (const status of statuses) {
      await setOrder(status);
      const visible = ['on_the_way', 'arrived', 'picked_up', 'delivered'].includes(status);
      const hidden = `a position is shown from 'on the way' to the completion: the order is '${status}'`;
      assert.equal(await watch(shareId), visible || hidden, status);
    }
    assert.equal(running.counted('returnit_tracking_share_watches_total', { outcome: 'visible' }), 4);
    assert.equal(running.counted('returnit_tracking_share_watches_total', { outcome: 'hidden' }), 6);
  });

  it('show nothing once revoked or expired, nothing of another order, and nothing with an id that nobody issued', async () => {
    await setOrder('on_the_way');
    const ended = 'the link has expired or was revoked';
    const [first, second, third] = [await create(customer), await create(partner), await create(ops)].map(shareIdOf);
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    assert.equal(await watch(first), true);
    assert.equal((await revoke({ id: 'c2', role: 'customer' }, first)).code, 'POSITION_NOT_FOUND');
    assert.equal(await watch(first), true);
    assert.equal((await revoke(customer, first)).status, 200);
    assert.deepEqual(running.recorded.live.at(-1), { channel: `orders/${orderId}/position`, revoked: first });
    assert.equal(await watch(first), ended);
    const again = await revoke(ops, first);
    assert.equal(again.status, 200);
    const [row] = await data.sql('select revoked_by_role, revoked_by from share_links where share_id = $1', [first]);
    assert.deepEqual(row, { revoked_by_role: 'customer', revoked_by: 'c1' });

    await data.sql("update share_links set expires_at = now() - interval '1 ms' where share_id = $1", [second]);
    assert.equal(await watch(second), ended);

    const other = randomUUIDv7();
    await setOrder('on_the_way', other);
    assert.equal(await watch(third, other), ended);
    assert.equal((await revoke(ops, third, other)).code, 'SHARE_NOT_FOUND');
    assert.equal(await watch(third), true);
    assert.equal(await watch(randomUUID()), ended);
  });
});
