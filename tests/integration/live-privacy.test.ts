/** Who sees the driver, and when: over real streams, at each step of an order. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readAudit } from '#core/plugin-host/audit/audit-read.ts';
import { book, connectDriver, near, orderReached, placeOf, type Device } from '../support/journey.ts';
import { watchByEvents, watchBySocket, type LiveClient } from '../support/live-client.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';

interface Share {
  readonly shareId: string;
  readonly token: string;
}

describe('the live position of an order', () => {
  let platform: TestPlatform;
  let device: Device;
  before(async () => {
    platform = await startPlatform();
    device = await connectDriver(platform, 'private-driver');
  });
  after(async () => {
    await device?.close();
    await platform?.stop();
  });

  it('is shown to each from when they may see it until it is over, and by links as long as they last', async () => {
    const place = placeOf(1);
    const customer = await platform.as('customer', 'watched');
    const ops = await platform.as('ops', 'dispatcher');
    const driver = await platform.as('driver', 'private-driver');
    await device.publish(near(place, 2));
    const { orderId } = await book(customer, place);
    const url = platform.app.addresses.api;
    const channel = `orders/${orderId}/position`;
    const clients: LiveClient[] = [];
    const watch = async (token: string, by = watchBySocket): Promise<LiveClient> => {
      const client = await by({ url, token, channel });
      clients.push(client);
      return client;
    };
    const assertHidden = async (token: string): Promise<void> => {
      for (const by of [watchBySocket, watchByEvents]) await (await watch(token, by)).next('refused');
    };
    const share = (): Promise<Share> => customer.ok<Share>('POST', `/tracking/orders/${orderId}/shares`, {});
    const [kept, revoked] = [await share(), await share()];
    const customerToken = customer.token ?? '';

    await orderReached(customer, orderId, 'assigned');
    for (const token of [customerToken, kept.token]) await assertHidden(token);
    const early = await watch(ops.token ?? '');
    await early.next('snapshot');

    await driver.ok('POST', `/orders/${orderId}/start`);
    const seeing = [await watch(customerToken), await watch(kept.token), await watch(kept.token, watchByEvents)];
    const losing = [await watch(revoked.token), await watch(revoked.token, watchByEvents)];
    for (const client of [...seeing, ...losing]) await client.next('snapshot');
    await assertHidden(`${kept.token.slice(0, -2)}AA`).catch((error: unknown) => {
      // A socket with a token that nobody signed does not even open.
      assert.match(String(error), /401/);
    });

    await customer.ok('DELETE', `/tracking/orders/${orderId}/shares/${revoked.shareId}`);
    for (const client of losing) {
      assert.equal((await client.next('closed')).reason, 'the link has expired or was revoked');
    }
    await assertHidden(revoked.token);
    await device.publish(near(place, 1));
    for (const client of [early, ...seeing]) await client.next(({ data }) => data?.lat === near(place, 1).lat);
    for (const client of losing) assert.ok(client.values.every(({ data }) => data?.lat !== near(place, 1).lat));

    const api = await fetch(`${url}/orders/${orderId}`, { headers: { authorization: `Bearer ${kept.token}` } });
    assert.equal(api.status, 401, 'a link opens a live channel and nothing else');

    for (const step of ['pickup', 'deliver', 'complete']) await driver.ok('POST', `/orders/${orderId}/${step}`);
    for (const client of [early, ...seeing]) {
      assert.equal((await client.next('closed')).reason, 'the order is completed');
    }
    for (const token of [customerToken, kept.token, ops.token ?? '']) await assertHidden(token);
    for (const client of clients) client.close();
    assert.equal(await platform.sample('returnit_tracking_shares_total', { outcome: 'created' }), 2);
    assert.ok(!platform.logText().includes(kept.token));
    const audit = await readAudit({ dir: join(platform.dataDir, 'audit'), plugin: 'tracking' });
    const access = audit.filter(({ decision }) => decision === 'issue' || decision === 'withdraw');
    assert.deepEqual(
      access.map(({ decision, permission, resource }) => `${decision} ${permission} ${resource}`),
      [
        `issue live.issueLink ${channel} link ${kept.shareId}`,
        `issue live.issueLink ${channel} link ${revoked.shareId}`,
        `withdraw live.revokeLink ${channel} link ${revoked.shareId}`,
      ],
    );
    assert.ok(!JSON.stringify(audit).includes(kept.token));
  });

  it('is shown to the partner who booked it, its driver and ops from the assignment on, and never to others', async () => {
    const place = placeOf(2);
    const [buyer, partner, driver] = await Promise.all([
      platform.as('customer', 'buyer'),
      platform.as('partner', 'shop'),
      platform.as('driver', 'private-driver'),
    ]);
    await device.publish(near(place, 2));
    const { orderId } = await book(partner, place, { customerId: 'buyer' });
    const [seeing, refused]: [LiveClient[], LiveClient[]] = [[], []];
    const watch = async (token: string, into: LiveClient[]): Promise<readonly LiveClient[]> => {
      const options = { url: platform.app.addresses.api, token, channel: `orders/${orderId}/position` };
      const opened = [await watchBySocket(options), await watchByEvents(options)];
      into.push(...opened);
      return opened;
    };
    const assertShown = async (token = ''): Promise<void> => {
      for (const client of await watch(token, seeing)) await client.next('snapshot');
    };
    const assertHidden = async (token = '', reason = /no order of yours/): Promise<void> => {
      for (const client of await watch(token, refused)) {
        assert.match((await client.next('refused')).reason ?? '', reason);
      }
    };
    const strangers = await Promise.all([
      platform.token('partner', 'other-shop'),
      platform.token('partner', 'buyer'),
      platform.token('customer', 'shop'),
      platform.token('driver', 'other-driver'),
    ]);

    await orderReached(partner, orderId, 'assigned');
    for (const { token } of [partner, driver, await platform.as('ops', 'dispatcher')]) await assertShown(token);
    await assertHidden(buyer.token, /from 'on the way'/);
    for (const token of strangers) await assertHidden(token);

    await driver.ok('POST', `/orders/${orderId}/start`);
    await assertShown(buyer.token);
    for (const token of strangers) await assertHidden(token);
    await device.publish(near(place, 1));
    for (const client of seeing) await client.next(({ data }) => data?.lat === near(place, 1).lat);

    for (const step of ['pickup', 'deliver', 'complete']) await driver.ok('POST', `/orders/${orderId}/${step}`);
    for (const client of seeing) assert.equal((await client.next('closed')).reason, 'the order is completed');
    for (const { token } of [partner, driver, buyer]) await assertHidden(token, /the order is 'completed'/);
    for (const client of refused) assert.ok(client.values.every(({ type }) => type === 'refused'));
    for (const client of [...seeing, ...refused]) client.close();
  });
});
