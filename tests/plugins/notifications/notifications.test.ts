import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fromCursor, toCursor } from '../../../plugins/notifications/notification.ts';
import { plugin } from '../../../plugins/notifications/plugin.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type Reply } from '../support/plugin-context.ts';
import { createFakeChannel, startMessenger, type FakeChannel, type Messenger } from './messenger.ts';

describe('notifications', () => {
  let data: PluginDatabase;
  let email: FakeChannel;
  let push: FakeChannel;
  let messenger: Messenger;
  before(async () => {
    data = await createPluginDatabase('notifications');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate notifications, people, order_progress');
    email = createFakeChannel('email');
    push = createFakeChannel('push');
    messenger = await startMessenger(data, [email, push]);
  });

  const list = (id: string, query: object = {}, role: 'customer' | 'driver' | 'ops' = 'customer'): Promise<Reply> =>
    messenger.running.request('GET /notifications', { principal: { id, role }, query });
  const shown = async (reply: Promise<Reply>): Promise<Record<string, unknown>[]> =>
    (await reply).body['notifications'] as Record<string, unknown>[];

  it('makes one message of an event and channel however often it is delivered, and sends it once', async () => {
    await messenger.prefer('c1', { email: 'anna@example.com', pushToken: 'token-of-anna' });
    const facts = { orderId: 'o1', customerId: 'c1', version: 1, status: 'created' };
    await Promise.all([1, 2, 3].map(() => messenger.deliver('order.created', facts, 'e1')));
    await messenger.runAll();
    await messenger.deliver('order.created', facts, 'e1');
    await messenger.runAll();
    assert.deepEqual([email.tries.length, push.tries.length], [1, 1]);
    assert.equal(email.tries[0]?.address, 'anna@example.com');
    assert.equal(messenger.counted('email', 'sent'), 1);
    const own = await shown(list('c1'));
    assert.deepEqual(
      own.map(({ channel, state }) => [channel, state]),
      [
        ['email', 'sent'],
        ['push', 'sent'],
      ],
    );
    assert.equal(own[0]?.['title'], 'We have your booking');
  });

  it('does nothing for a job that comes again after the message is sent, and says so', async () => {
    await messenger.prefer('c1', { email: 'anna@example.com' });
    await messenger.deliver('order.completed', { orderId: 'o1', customerId: 'c1' }, 'e1');
    await messenger.runAll();
    const [{ id: notificationId } = { id: '' }] = email.tries;
    await messenger.running.work('notifications.email', { notificationId });
    assert.equal(email.tries.length, 1);
    assert.equal(messenger.counted('none', 'repeated'), 1);
    assert.equal(messenger.running.recorded.observed.length, 1);
  });

  it('keeps in the log, at once and once, what is to be told when nobody can be reached, without what it says', async () => {
    const facts = { orderId: 'o1', customerId: 'c1', version: 1, status: 'created' };
    await messenger.deliver('order.created', facts, 'e1');
    await messenger.deliver('order.created', facts, 'e1');
    assert.equal(messenger.waiting(), 0, 'no job');
    const [own, ...others] = await shown(list('c1'));
    assert.deepEqual(others, []);
    const { notificationId } = own ?? {};
    assert.deepEqual(messenger.running.recorded.logs, [
      {
        level: 'info',
        message: 'notification sent',
        fields: { notificationId, recipientRole: 'customer', recipientId: 'c1', template: 'order.created' },
      },
    ]);
    assert.equal(own?.['sentAt'], new Date(messenger.clock.nowMs).toISOString());
    assert.equal(messenger.counted('log', 'sent'), 1);
  });

  it('does not keep as told what is no longer so when its event comes, nor what has run out', async () => {
    const order = { orderId: 'o1', customerId: 'c1' };
    await messenger.deliver('order.picked_up', { ...order, version: 6, status: 'picked_up' }, 'e6');
    await messenger.deliver('order.started', { ...order, version: 4, status: 'on_the_way' }, 'e4');
    const offer = { orderId: 'o2', customerId: 'c1', driverId: 'd1', offerId: 'f1' };
    await messenger.deliver('driver.offered', { ...offer, expiresAt: '2026-05-04T07:59:59Z' }, 'e7');
    const ended = (await messenger.states()).map(({ event, state, reason }) => [event, state, reason]);
    assert.deepEqual(ended, [
      ['e6', 'sent', null],
      ['e4', 'dropped', 'superseded'],
      ['e7', 'dropped', 'expired'],
    ]);
    assert.deepEqual([messenger.counted('log', 'superseded'), messenger.counted('log', 'expired')], [1, 1]);
  });

  it('shows everybody their own, newest first, page by page, and of one order', async () => {
    for (let index = 0; index < 3; index += 1) {
      await messenger.deliver('order.started', { orderId: `o${index}`, customerId: 'c1' }, `e${index}`);
    }
    await messenger.deliver('driver.assigned', { orderId: 'o1', driverId: 'c1', customerId: 'c9' }, 'e9');
    const first = await list('c1', { limit: 2 });
    const second = await list('c1', { limit: 2, cursor: first.body['nextCursor'] });
    const ids = [first, second]
      .flatMap(({ body }) => body['notifications'] as { orderId: string }[])
      .map(({ orderId }) => orderId);
    assert.deepEqual(ids, ['o2', 'o1', 'o0']);
    assert.equal(second.body['nextCursor'], null);
    assert.equal((await shown(list('c1', {}, 'driver'))).length, 1);
    assert.deepEqual((await list('c9')).body, { notifications: [], nextCursor: null });
    assert.deepEqual(
      (await shown(list('c1', { orderId: 'o1' }))).map(({ orderId }) => orderId),
      ['o1'],
    );
    assert.equal((await list('c1', { cursor: '!' })).code, 'NOTIFICATION_CURSOR_INVALID');
  });

  it('shows ops how it went with an order, of everybody, and nothing of what it says', async () => {
    await messenger.prefer('c1', { email: 'anna@example.com' });
    email.script.push({ kind: 'refused', reason: 'MAIL_REFUSED 550 5.1.1' });
    await messenger.deliver('order.delivered', { orderId: 'o1', customerId: 'c1', reason: 'secret words' }, 'e1');
    await messenger.deliver('driver.assigned', { orderId: 'o1', driverId: 'd1', sequence: 1 }, 'e2');
    await messenger.deliver('order.delivered', { orderId: 'o2', customerId: 'c1' }, 'e3');
    await messenger.runAll();
    const log = await shown(list('kim', { orderId: 'o1' }, 'ops'));
    const seen = log.map(({ recipientId, channel, state, attempts, lastError }) =>
      [recipientId, channel, state, attempts, lastError].join(' '),
    );
    assert.deepEqual(seen, ['d1 log sent 0 ', 'c1 email failed 1 MAIL_REFUSED 550 5.1.1']);
    for (const entry of log) assert.ok(!('body' in entry) && !('title' in entry), JSON.stringify(entry));
    assert.doesNotMatch(JSON.stringify(log), /anna@example\.com|secret words/);
    assert.equal((await shown(list('kim', {}, 'ops'))).length, 3);
  });

  it('sets up with the log alone when nothing is configured', async () => {
    const running = await runPlugin(plugin, data.db);
    await running.deliver('order.created', { orderId: 'o1', customerId: 'c1' }, 'e1', new Date().toISOString());
    assert.equal(running.counted('returnit_notifications_total', { channel: 'log', outcome: 'sent' }), 1);
  });

  it('deletes what is older than it is kept, and counts it', async () => {
    await messenger.deliver('order.created', { orderId: 'o1', customerId: 'c1', version: 1 }, 'e1');
    await data.sql(`update notifications set created_at = '2026-01-01'`);
    await messenger.deliver('order.created', { orderId: 'o2', customerId: 'c1', version: 1 }, 'e2');
    await data.sql(`update order_progress set updated_at = '2026-01-01' where order_id = 'o1'`);
    await messenger.running.work('notifications.retention', {});
    assert.deepEqual(await data.sql('select order_id from notifications'), [{ order_id: 'o2' }]);
    assert.deepEqual(await data.sql('select order_id from order_progress'), [{ order_id: 'o2' }]);
    assert.equal(messenger.running.counted('returnit_notifications_forgotten_total', {}), 1);
  });
});

describe('toCursor() and fromCursor()', () => {
  it('carry a sequence there and back, and take nothing else', () => {
    assert.equal(fromCursor(toCursor('123')), '123');
    for (const wrong of ['', 'x', toCursor('-1'), toCursor('9'.repeat(19))]) assert.equal(fromCursor(wrong), undefined);
  });
});
