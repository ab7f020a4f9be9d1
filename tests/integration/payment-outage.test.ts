/** An order whose payment provider is away for hours. The waits between the attempts are taken out of the queue. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Client } from 'pg';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '#core/database/embedded-postgres.ts';
import { book, orderReached, placeOf } from '../support/journey.ts';
import { assertTold, paymentOf } from '../support/order-journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { recordTelemetry } from '../support/record-telemetry.ts';
import { until } from '../support/until.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'returnit-payments-'));

describe('an order whose payment provider does not answer', () => {
  let postgres: EmbeddedPostgres;
  let platform: TestPlatform;
  let client: Client;

  before(async () => {
    postgres = await startEmbeddedPostgres({ dataDir, connectionsMax: 60, telemetry: recordTelemetry() });
    client = new Client({ connectionString: postgres.url });
    await client.connect();
    platform = await startPlatform({
      config: {
        databaseUrl: postgres.url,
        plugins: ['orders', 'payments', 'notifications'],
        jobPollMs: 200,
      },
    });
  });
  after(async () => {
    await client?.end();
    await platform?.stop();
    await postgres?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  /** The next attempt is this one, and it is due. */
  async function skipTo(attempt: number): Promise<void> {
    await until('an attempt has failed', async () => {
      const { rowCount } = await client.query(
        `update pgboss.job set retry_count = $1, start_after = now()
         where name = 'payments.authorise' and state = 'retry' and retry_count <= $1`,
        [attempt - 2],
      );
      return rowCount === 1;
    });
  }

  it('is cancelled after the attempts that it waits for, and its payment is asked about further', async () => {
    const customer = await platform.as('customer', 'c-waits');
    const { orderId } = await book(customer, placeOf(7), { paymentMethod: 'tok_unavailable' });
    await skipTo(14);
    const failures = () => platform.sample('returnit_jobs_total', { queue: 'payments.authorise', outcome: 'retried' });
    await until('the attempt before the last has failed', async () => (await failures()) >= 2);
    assert.equal((await customer.ok<{ status: string }>('GET', `/orders/${orderId}`)).status, 'created');
    await skipTo(15);
    const cancelled = await orderReached(customer, orderId, 'cancelled');
    assert.equal(cancelled.cancelReason, 'payment failed: provider-unavailable');
    assert.equal((await paymentOf(customer, orderId)).status, 'cancelling');
    const told = {
      role: 'customer',
      id: 'c-waits',
      templates: ['order.created', 'payment.failed', 'order.cancelled'],
    } as const;
    await assertTold(platform, orderId, told);

    await skipTo(101);
    await until('it lies among the dead letters', async () => {
      const { rows } = await client.query(`select from pgboss.job where name = 'payments.authorise.dead'`);
      return rows.length === 1;
    });
    await assertTold(platform, orderId, told);
    const outcomes = { operation: 'authorise', outcome: 'unavailable', plugin: 'payments' };
    assert.equal(await platform.sample('returnit_payments_total', outcomes), 1);
  });
});
