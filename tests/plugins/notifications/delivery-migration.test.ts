import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { createPluginDatabase } from '../support/plugin-database.ts';
import { startMessenger } from './messenger.ts';

describe('migration to deliveries', () => {
  it('keeps what was sent as sent, and sends what was not', async () => {
    const data = await createPluginDatabase('notifications');
    const folder = new URL('../../../plugins/notifications/migrations/', import.meta.url);
    const [first = '', ...later] = readdirSync(folder).toSorted();
    const run = (file: string): Promise<unknown> => data.sql(readFileSync(new URL(file, folder), 'utf8'));
    try {
      await data.sql('drop schema notifications cascade');
      await data.sql('create schema notifications');
      await run(first);
      await data.sql(`insert into notifications
          (event_id, channel, recipient_role, recipient_id, order_id, template, title, body, created_at, sent_at) values
        ('e1', 'log', 'customer', 'c1', 'o1', 'order.created', 'We have your booking', 'a', '2026-05-04T07:00:00Z', '2026-05-04T07:00:01Z'),
        ('e2', 'log', 'driver', 'd1', 'o1', 'driver.assigned', 'A new pickup for you', 'b', '2026-05-04T07:59:00Z', null)`);
      for (const file of later) await run(file);
      const messenger = await startMessenger(data, []);
      for (const { notification_id } of await data.sql('select notification_id from notifications')) {
        messenger.redeliver(String(notification_id), 'notifications.send');
      }
      await messenger.runAll();
      assert.deepEqual(
        (await messenger.states()).map(({ state }) => state),
        ['sent', 'sent'],
      );
      const { body } = await messenger.running.request('GET /notifications', {
        principal: { id: 'c1', role: 'customer' },
      });
      assert.equal((body['notifications'] as { sentAt: string }[])[0]?.sentAt, '2026-05-04T07:00:01.000Z');
      const [late] = await data.sql(`select sent_at from notifications where event_id = 'e2'`);
      assert.equal(new Date(late?.['sent_at'] as string).getTime(), messenger.clock.nowMs);
    } finally {
      await data.stop();
    }
  });
});
