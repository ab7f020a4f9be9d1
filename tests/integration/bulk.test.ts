import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Api } from '../support/api-client.ts';
import { sendBulk, toOrders, type BulkAnswer, type BulkVerdict } from '../support/bulk-client.ts';
import { killCores, startCore, type CoreProcess } from '../support/core-process.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { until } from '../support/until.ts';

async function readAll(ops: Api): Promise<{ orderId: string; reference: string; status: string }[]> {
  const orders: { orderId: string; reference: string; status: string }[] = [];
  for (let cursor = ''; ;) {
    const page = await ops.ok<{ orders: typeof orders; nextCursor: string | null }>(
      'GET',
      `/orders?limit=100${cursor}`,
    );
    orders.push(...page.orders);
    if (page.nextCursor === null) return orders;
    cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
  }
}

/** Every order once, whatever was told of it before stands, and each is paid for once. */
async function assertOnce(ops: Api, count: number, answers: readonly BulkAnswer[]): Promise<void> {
  const last = answers.at(-1);
  assert.equal(last?.isComplete, true);
  assert.equal(last?.verdicts.length, count);
  const ids = new Map<string | undefined, string | undefined>();
  for (const { verdicts } of answers) {
    for (const { reference, orderId, status, problem } of verdicts) {
      assert.notEqual(status, 'rejected', JSON.stringify(problem));
      assert.equal(ids.get(reference) ?? orderId, orderId, `${reference} is one order`);
      ids.set(reference, orderId);
    }
  }
  const orders = await until('all are paid for', async () => {
    const all = await readAll(ops);
    return all.length >= count && all.every(({ status }) => status === 'scheduled') ? all : undefined;
  });
  assert.equal(orders.length, count);
  for (const { reference, orderId } of orders) assert.equal(ids.get(reference), orderId);
  for (const { orderId } of orders.slice(0, 20)) {
    const { payments } = await ops.ok<{ payments: unknown[] }>('GET', `/payments?orderId=${orderId}`);
    assert.equal(payments.length, 1);
  }
}

describe('a bulk booking', () => {
  const count = 150;
  const killAfter = 40;
  let platform: TestPlatform | undefined;
  after(() => platform?.stop());
  after(killCores);

  it('that the plugin is killed in the middle of gives every order once when it is sent again', async () => {
    platform = await startPlatform({ config: { plugins: ['orders', 'payments'], pluginRestartDelayMs: 2 } });
    const running = platform;
    await running.reached('orders', 'ready');
    const { api: url } = running.app.addresses;
    const bulk = { url, token: await running.token('partner', 'partner-1'), orders: toOrders(count) };
    let killed: Promise<void> | undefined;
    const onVerdict = (_: BulkVerdict, received: number): void => {
      if (received >= killAfter) killed ??= running.kill('orders');
    };
    const broken = await sendBulk({ ...bulk, onVerdict });
    await killed;
    assert.equal(broken.isComplete, false);
    assert.ok(broken.verdicts.length >= killAfter && broken.verdicts.length < count);
    await running.reached('orders', 'ready');
    const again = await sendBulk(bulk);
    for (const { line } of broken.verdicts) assert.equal(again.verdicts[line - 1]?.status, 'repeated');
    await assertOnce(await running.as('ops', 'operator'), count, [broken, again]);
    const lines = await running.sample('returnit_orders_bulk_lines_total', { status: 'created' });
    assert.ok(lines >= count - broken.verdicts.length);
  });

  it('that the core is killed in the middle of gives every order once when it is sent again', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'returnit-bulk-'));
    const start = (): Promise<CoreProcess> => startCore({ dataDir, args: ['--plugins', 'orders,payments'] });
    try {
      const core = await start();
      const orders = toOrders(count);
      const { token = '' } = await core.as('partner', 'partner-1');
      let ended: Promise<unknown> | undefined;
      const broken = await sendBulk({
        url: core.addresses.api,
        token,
        orders,
        onVerdict(_, received) {
          if (received >= killAfter) ended ??= core.end('SIGKILL');
        },
      });
      await ended;
      assert.equal(broken.isComplete, false);
      const next = await start();
      const again = await sendBulk({ url: next.addresses.api, token, orders });
      for (const { line } of broken.verdicts) assert.equal(again.verdicts[line - 1]?.status, 'repeated');
      await assertOnce(await next.as('ops', 'operator'), count, [broken, again]);
    } finally {
      await killCores();
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
