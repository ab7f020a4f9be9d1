import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Channel } from '../../../plugins/notifications/channel.ts';
import { notify } from '../../../plugins/notifications/events.ts';
import { send } from '../../../plugins/notifications/jobs.ts';
import {
  audience,
  fromCursor,
  recipientOf,
  toCursor,
  type NotifiedEvent,
} from '../../../plugins/notifications/notification.ts';
import { plugin } from '../../../plugins/notifications/plugin.ts';
import { render } from '../../../plugins/notifications/templates.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';

describe('notifications', () => {
  let data: PluginDatabase;
  let running: RunningPlugin;
  before(async () => {
    data = await createPluginDatabase('notifications');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate notifications');
    running = await runPlugin(plugin, data.db);
  });

  const jobs = () => data.find('notifications.send').map((job) => String(job.data['notificationId']));
  const list = (id: string, query: object = {}, role: 'customer' | 'driver' = 'customer'): Promise<Reply> =>
    running.request('GET /notifications', { principal: { id, role }, query });

  it('makes one message of an event however often it is delivered, and sends it once', async () => {
    const facts = { orderId: 'o1', customerId: 'c1' };
    const before = jobs().length;
    await Promise.all([1, 2, 3].map(() => running.deliver('order.created', facts, 'e1')));
    const [notificationId = '', ...others] = jobs().slice(before);
    assert.equal(others.length, 0);
    await running.work('notifications.send', { notificationId });
    await running.work('notifications.send', { notificationId });
    assert.equal(running.counted('returnit_notifications_total', { channel: 'log', outcome: 'sent' }), 1);
    assert.deepEqual(running.recorded.logs, [
      {
        level: 'info',
        message: 'notification sent',
        fields: { notificationId, recipientRole: 'customer', recipientId: 'c1', template: 'order.created' },
      },
    ]);
    const [notification] = (await list('c1')).body['notifications'] as Record<string, unknown>[];
    assert.equal(notification?.['title'], 'We have your booking');
    assert.equal(typeof notification?.['sentAt'], 'string');
  });

  it('sends again what a channel could not, and leaves the other channel alone', async () => {
    let failures = 1;
    const sent: string[] = [];
    const toChannel = (name: string, fails: () => boolean): Channel => ({
      name,
      send() {
        if (fails()) return Promise.reject(new Error('no answer'));
        sent.push(name);
        return Promise.resolve();
      },
    });
    const channels = [toChannel('mail', () => failures-- > 0), toChannel('push', () => false)];
    const before = jobs().length;
    await data.db.transaction((tx) =>
      notify(tx, { id: 'e1', name: 'order.started', data: { orderId: 'o1', customerId: 'c1' } }, ['mail', 'push']),
    );
    const [mail = '', push = ''] = jobs().slice(before);
    await assert.rejects(send(data.db, channels, mail), /no answer/);
    await send(data.db, channels, push);
    await send(data.db, channels, mail);
    assert.deepEqual(sent, ['push', 'mail']);
  });

  it('shows everybody their own, newest first, page by page', async () => {
    for (let index = 0; index < 3; index += 1) {
      await running.deliver('order.started', { orderId: `o${index}`, customerId: 'c1' }, `e${index}`);
    }
    await running.deliver('driver.assigned', { orderId: 'o1', driverId: 'c1', customerId: 'c9' }, 'e9');
    const first = await list('c1', { limit: 2 });
    const second = await list('c1', { limit: 2, cursor: first.body['nextCursor'] });
    const ids = [first, second]
      .flatMap(({ body }) => body['notifications'] as { orderId: string }[])
      .map((n) => n.orderId);
    assert.deepEqual(ids, ['o2', 'o1', 'o0']);
    assert.equal(second.body['nextCursor'], null);
    assert.equal(((await list('c1', {}, 'driver')).body['notifications'] as unknown[]).length, 1);
    assert.deepEqual((await list('c9')).body, { notifications: [], nextCursor: null });
    assert.equal((await list('c1', { cursor: '!' })).code, 'NOTIFICATION_CURSOR_INVALID');
  });
});

describe('render()', () => {
  it('has a text for every event that somebody is told of', () => {
    for (const event of Object.keys(audience) as NotifiedEvent[]) {
      const { title, body } = render(event, { orderId: 'o1', reason: 'card_declined' });
      assert.ok(title.length > 0 && title.length <= 200 && body.length > 0 && body.length <= 2000, event);
      assert.doesNotMatch(title + body, /undefined|null/);
    }
    assert.match(render('order.cancelled', { orderId: 'o1', reason: 'r' }).body, /Reason: r\./);
    assert.match(render('driver.unavailable', { orderId: 'o1', final: true }).title, /found no driver/);
  });
});

describe('recipientOf()', () => {
  it('names the customer or the driver, or nobody', () => {
    const facts = { orderId: 'o1', customerId: 'c1', driverId: 'd1' };
    assert.deepEqual(recipientOf('order.assigned', facts), { role: 'customer', id: 'c1' });
    assert.deepEqual(recipientOf('driver.assigned', facts), { role: 'driver', id: 'd1' });
    assert.equal(recipientOf('payment.declined', { orderId: 'o1', customerId: null }), undefined);
  });
});

describe('toCursor() and fromCursor()', () => {
  it('carry a sequence there and back, and take nothing else', () => {
    assert.equal(fromCursor(toCursor('123')), '123');
    for (const wrong of ['', 'x', toCursor('-1'), toCursor('9'.repeat(19))]) assert.equal(fromCursor(wrong), undefined);
  });
});
