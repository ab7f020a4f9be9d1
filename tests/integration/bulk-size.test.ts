import assert from 'node:assert/strict';
import { after, describe, it, type TestContext } from 'node:test';
import { sendBulk, toOrders } from '../support/bulk-client.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';

/** Ten thousand is what a body may have; that many are booked by hand and at night. */
const count = Number(process.env['RETURNIT_BULK_ORDERS'] ?? 1000);

describe('a large bulk booking', () => {
  let platform: TestPlatform;
  after(() => platform?.stop());

  it(
    `of ${count} orders is booked, each line answered, in bounded memory`,
    { timeout: 3_600_000 },
    async (t: TestContext) => {
      platform = await startPlatform({ config: { plugins: ['orders'] } });
      await platform.reached('orders', 'ready');
      let residentBytes = 0;
      const watch = async (): Promise<void> => {
        const bytes = await platform.sample('returnit_plugin_rss_bytes', { plugin: 'orders' });
        residentBytes = Math.max(residentBytes, bytes);
      };
      const startMs = performance.now();
      let watching = Promise.resolve();
      const { verdicts, isComplete } = await sendBulk({
        url: platform.app.addresses.api,
        token: await platform.token('partner', 'partner-1'),
        orders: toOrders(count),
        onVerdict(_, received) {
          if (received % 1000 === 0) watching = watching.then(watch);
        },
      });
      await watching;
      const seconds = (performance.now() - startMs) / 1000;
      assert.equal(isComplete, true);
      const created = verdicts.filter(({ status }) => status === 'created');
      t.diagnostic(`${count} orders in ${seconds.toFixed(1)} s, ${Math.round(count / seconds)} a second`);
      t.diagnostic(`the plugin had ${Math.round(residentBytes / 1_048_576)} MiB at most`);
      assert.equal(created.length, count, JSON.stringify(verdicts.find(({ status }) => status === 'rejected')));
      assert.equal(new Set(created.map(({ orderId }) => orderId)).size, count);
      assert.equal(await platform.sample('returnit_http_uploads_total', { plugin: 'orders', outcome: 'complete' }), 1);
      assert.equal(platform.deathsOf('orders'), 0);
    },
  );
});
