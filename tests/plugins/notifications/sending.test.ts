import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { createFakeChannel, startMessenger, startOfTest, type FakeChannel, type Messenger } from './messenger.ts';

describe('send()', () => {
  let data: PluginDatabase;
  let email: FakeChannel;
  let sms: FakeChannel;
  let push: FakeChannel;
  let messenger: Messenger;
  const env = { NOTIFICATIONS_ATTEMPTS_MAX: '4', NOTIFICATIONS_RETRY_SECONDS: '10' };
  before(async () => {
    data = await createPluginDatabase('notifications');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate notifications, people, order_progress');
    [email, sms, push] = [createFakeChannel('email'), createFakeChannel('sms'), createFakeChannel('push')];
    messenger = await startMessenger(data, [email, sms, push], env);
  });

  const order = (version: number, status: string): object => ({ orderId: 'o1', customerId: 'c1', version, status });
  const told = (channel: FakeChannel): string[] => channel.tries.map(({ template }) => template);
  const states = async (): Promise<string[]> =>
    (await messenger.states()).map(({ event, channel, state }) => `${event} ${channel} ${state}`);

  it('tries again what a channel could not send, ever later, and leaves the other channel alone', async () => {
    await messenger.prefer('c1', { email: 'anna@example.com', pushToken: 'token-of-anna' });
    email.script.push(
      { kind: 'deferred', reason: 'MAIL_DEFERRED 451' },
      { kind: 'uncertain', reason: 'MAIL_UNCERTAIN' },
      'throws',
    );
    await messenger.deliver('order.delivered', order(6, 'delivered'), 'e1');
    const times: number[] = [];
    for (let tries = 1; tries <= 4; tries += 1) {
      await messenger.runDue();
      times.push((messenger.clock.nowMs - startOfTest) / 1000);
      assert.equal(email.tries.length, tries);
      messenger.clock.nowMs += 10_000 * 2 ** (tries - 1);
    }
    assert.deepEqual(times, [0, 10, 30, 70]);
    assert.equal(push.tries.length, 1);
    assert.equal(new Set(email.tries.map(({ id }) => id)).size, 1, 'each try under the same id');
    assert.deepEqual(await states(), ['e1 push sent', 'e1 email sent']);
    assert.deepEqual([messenger.counted('email', 'retried'), messenger.counted('email', 'sent')], [3, 1]);
    assert.equal(messenger.waiting(), 0);
  });

  it('waits as long as a provider asks for', async () => {
    await messenger.prefer('c1', { email: 'anna@example.com' });
    email.script.push({ kind: 'deferred', reason: 'HTTP 429', retryAfterMs: 120_000 });
    await messenger.deliver('order.delivered', order(6, 'delivered'), 'e1');
    await messenger.runDue();
    messenger.clock.nowMs += 119_000;
    await messenger.runDue();
    assert.equal(email.tries.length, 1);
    messenger.clock.nowMs += 1000;
    await messenger.runDue();
    assert.equal(email.tries.length, 2);
  });

  it('gives up after NOTIFICATIONS_ATTEMPTS_MAX tries, and another channel stands in', async () => {
    await messenger.prefer('c1', { email: 'anna@example.com', phone: '+4915112345678' });
    email.script.push(...Array.from({ length: 9 }, () => ({ kind: 'deferred', reason: 'away' }) as const));
    await messenger.deliver('order.delivered', order(6, 'delivered'), 'e1');
    await messenger.runAll();
    assert.deepEqual([email.tries.length, sms.tries.length], [4, 1]);
    assert.deepEqual(await states(), ['e1 email failed', 'e1 sms sent']);
    assert.equal(messenger.counted('email', 'failed'), 1);
    assert.equal(messenger.running.counted('returnit_notifications_fallbacks_total', { from: 'email', to: 'sms' }), 1);
    assert.equal(sms.tries[0]?.address, '+4915112345678');
    assert.equal(sms.tries[0]?.body, 'Your parcels have arrived.');
  });

  it('lets another channel stand in at once for an address that is refused, and none where they want none', async () => {
    const off = { parcels: { sms: 'off' } };
    await messenger.prefer('c1', { email: 'a@example.com', phone: '+4915112345678' });
    await messenger.prefer('c2', { email: 'b@example.com', phone: '+4915112345679', channels: off });
    email.script.push({ kind: 'refused', reason: '550' }, { kind: 'refused', reason: '550' });
    await messenger.deliver('order.delivered', { ...order(6, 'delivered'), customerId: 'c2' }, 'e2');
    await messenger.runAll();
    await messenger.deliver('order.delivered', order(6, 'delivered'), 'e1');
    await messenger.runAll();
    assert.deepEqual(await states(), ['e2 email failed', 'e1 email failed', 'e1 sms sent']);
  });

  it('sends again only after NOTIFICATIONS_SENDING_SECONDS what a process had marked and did not settle', async () => {
    await messenger.prefer('c1', { email: 'anna@example.com' });
    await messenger.deliver('order.delivered', order(6, 'delivered'), 'e1');
    // As it is left by a process that is killed between the provider and the commit.
    await data.sql(`update notifications set state = 'sending', attempts = 1, claimed_at = $1`, [
      new Date(messenger.clock.nowMs).toISOString(),
    ]);
    await messenger.runDue();
    assert.equal(email.tries.length, 0);
    messenger.clock.nowMs += 29_000;
    await messenger.runDue();
    assert.equal(email.tries.length, 0);
    messenger.clock.nowMs += 1000;
    await messenger.runDue();
    assert.deepEqual(await states(), ['e1 email sent']);
    assert.equal((await messenger.states())[0]?.attempts, 2);
  });

  it('does not try for ever what kills the process each time', async () => {
    await messenger.prefer('c1', { email: 'anna@example.com' });
    await messenger.deliver('order.delivered', order(6, 'delivered'), 'e1');
    await data.sql(`update notifications set state = 'sending', attempts = 4, claimed_at = '2026-05-04T07:00:00Z'`);
    await messenger.runAll();
    assert.deepEqual([email.tries.length, await states()], [0, ['e1 email failed']]);
  });

  it('has one of two jobs of the same message send it', async () => {
    await messenger.prefer('c1', { email: 'anna@example.com' });
    await messenger.deliver('order.delivered', order(6, 'delivered'), 'e1');
    const [job] = data.find('notifications.email').slice(-1);
    await Promise.all([1, 2, 3, 4].map(() => messenger.running.work('notifications.email', job?.data ?? {})));
    await messenger.runAll();
    assert.equal(email.tries.length, 1);
  });

  it('tells of one order in the order in which it happened, whichever job runs first', async () => {
    await messenger.prefer('c1', { pushToken: 'token-of-anna' });
    const steps = ['assigned', 'started', 'arrived', 'picked_up', 'delivered'];
    for (const [index, step] of steps.entries()) {
      messenger.clock.nowMs += 10;
      await messenger.deliver(`order.${step}`, order(index + 3, step), `e${index}`);
    }
    const last = data.find('notifications.push').at(-1);
    await messenger.running.work('notifications.push', last?.data ?? {});
    assert.deepEqual(
      told(push),
      steps.map((step) => `order.${step}`),
    );
    await messenger.runAll();
    assert.equal(push.tries.length, 5);
  });

  it('waits for an earlier message of the order that is being sent', async () => {
    await messenger.prefer('c1', { pushToken: 'token-of-anna' });
    await messenger.deliver('order.picked_up', order(6, 'picked_up'), 'e1');
    await data.sql(`update notifications set state = 'sending', attempts = 1, claimed_at = $1`, [
      new Date(startOfTest).toISOString(),
    ]);
    messenger.clock.nowMs += 10;
    await messenger.deliver('order.delivered', order(7, 'delivered'), 'e2');
    await messenger.runDue();
    assert.equal(push.tries.length, 0);
    await messenger.runAll();
    assert.deepEqual(told(push), ['order.delivered']);
    assert.deepEqual(await states(), ['e1 push dropped', 'e2 push sent']);
  });

  it('does not say "on the way" after the delivery, though the event comes late or the channel was away', async () => {
    await messenger.prefer('c1', { pushToken: 'token-of-anna' });
    await messenger.deliver('order.delivered', order(7, 'delivered'), 'e7');
    await messenger.runAll();
    messenger.clock.nowMs -= 60_000;
    await messenger.deliver('order.started', order(4, 'on_the_way'), 'e4');
    messenger.clock.nowMs += 60_000;
    await messenger.runAll();
    assert.deepEqual(told(push), ['order.delivered']);
    assert.equal(messenger.counted('push', 'superseded'), 1);
    const [late] = (await messenger.states()).filter(({ event }) => event === 'e4');
    assert.deepEqual([late?.state, late?.reason], ['dropped', 'superseded']);
    const { body } = await messenger.running.request('GET /notifications', {
      principal: { id: 'c1', role: 'customer' },
    });
    assert.equal((body['notifications'] as object[]).length, 1, 'what was never told is not shown as told');
  });

  it('tells a driver of the newest assignment alone, and of no offer that has run out', async () => {
    const facts = { orderId: 'o1', customerId: 'c1', driverId: 'd1' };
    await messenger.running.request('PUT /notifications/preferences', {
      principal: { id: 'd1', role: 'driver' },
      body: { pushToken: 'token-of-dora' },
    });
    await messenger.deliver('driver.unassigned', { ...facts, sequence: 2, reason: 'reassigned' }, 'e2');
    await messenger.deliver('driver.unassigned', { ...facts, sequence: 4, reason: 'gave_back' }, 'e4');
    messenger.clock.nowMs += 61_000;
    await messenger.deliver('driver.offered', { ...facts, offerId: 'f1', expiresAt: '2026-05-04T08:01:00Z' }, 'e5');
    await messenger.deliver('driver.offered', { ...facts, offerId: 'f2', expiresAt: '2026-05-04T08:02:00Z' }, 'e6');
    await messenger.runAll();
    assert.deepEqual(told(push), ['driver.offered']);
    assert.deepEqual([messenger.counted('push', 'superseded'), messenger.counted('push', 'expired')], [1, 1]);
  });

  it('tells the driver, too, that an order is cancelled, in words of their own', async () => {
    await messenger.deliver('order.cancelled', { ...order(5, 'cancelled'), driverId: 'd1' }, 'e1');
    await messenger.deliver('order.cancelled', { ...order(5, 'cancelled'), orderId: 'o2' }, 'e2');
    const rows = await data.sql('select * from notifications order by sequence');
    const to = rows.map((row) => [row['recipient_role'], row['recipient_id'], row['template']].join(' '));
    assert.deepEqual(to, [
      'customer c1 order.cancelled',
      'driver d1 driver.order_cancelled',
      'customer c1 order.cancelled',
    ]);
  });

  it('does not tell what happened longer ago than NOTIFICATIONS_EVENT_AGE_MAX_SECONDS', async () => {
    await messenger.prefer('c1', { email: 'anna@example.com' });
    await messenger.deliver('order.delivered', order(7, 'delivered'), 'e1');
    messenger.clock.nowMs += 86_401_000;
    await messenger.runAll();
    assert.deepEqual([email.tries.length, await states()], [0, ['e1 email dropped']]);
    assert.equal(messenger.counted('email', 'expired'), 1);
  });
});
