/** Payments that were made before operations, a ledger and a sandbox with a memory existed go on as if nothing had happened. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Client } from 'pg';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

const folder = new URL('../../../plugins/payments/migrations/', import.meta.url);
const files = readdirSync(folder).toSorted();

describe('the migration of payments', () => {
  let database: TestDatabase;
  let client: Client;
  before(async () => {
    database = await createTestDatabase();
    client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query('create schema payments; set search_path to payments');
    await client.query(readFileSync(new URL(files[0] ?? '', folder), 'utf8'));
  });
  after(async () => {
    await client?.end();
    await database?.drop();
  });

  it('keeps the state, the keys and the references of each', async () => {
    const insert = (
      orderId: string,
      status: string,
      rest: { reference?: string; decline?: string; asked?: boolean; currency?: string },
    ) =>
      client.query(
        `insert into payments (order_id, kind, status, amount_minor, currency, method, provider_reference, decline_reason, asked_at)
         values ($1, 'authorisation', $2, 590, $3, 'tok_default', $4, $5, case when $6 then now() end)`,
        [orderId, status, rest.currency ?? 'EUR', rest.reference ?? null, rest.decline ?? null, rest.asked ?? false],
      );
    await insert('o-new', 'pending', {});
    await insert('o-asked', 'pending', { asked: true });
    await insert('o-authorised', 'authorised', { asked: true, reference: 'sandbox_1' });
    await insert('o-declined', 'declined', { asked: true, decline: 'card_declined' });
    await insert('o-unwanted', 'cancelled', { asked: true, decline: 'card_declined' });
    await insert('o-cancelling', 'cancelling', { asked: true });
    await insert('o-cancelled', 'cancelled', {});
    await insert('o-overtaken', 'cancelled', { currency: '' });
    await insert('o-voiding', 'voiding', { asked: true, reference: 'sandbox_2' });
    await insert('o-voided', 'voided', { asked: true, reference: 'sandbox_3' });
    for (const file of files.slice(1)) {
      await client.query('begin');
      await client.query(readFileSync(new URL(file, folder), 'utf8'));
      await client.query('commit');
    }
    const { rows } = await client.query<{ line: string }>(
      `select concat_ws(' ', order_id, status, intent, wish, (select string_agg(concat_ws('/', o.kind, o.status, o.asks,
         replace(o.idempotency_key, o.order_id, '')), ' ' order by o.kind) from operations o where o.payment_id = p.payment_id)) as line
       from payments p order by order_id`,
    );
    assert.deepEqual(
      rows.map(({ line }) => line),
      [
        'o-asked pending unknown hold authorise/pending/1/order::authorise',
        'o-authorised authorised authorised hold authorise/succeeded/1/order::authorise',
        'o-cancelled cancelled unknown release authorise/superseded/0/order::authorise',
        'o-cancelling cancelling unknown release authorise/pending/1/order::authorise',
        'o-declined declined declined hold authorise/failed/1/order::authorise',
        'o-new pending unknown hold authorise/pending/0/order::authorise',
        'o-overtaken cancelled unknown release',
        'o-unwanted declined declined release authorise/failed/1/order::authorise',
        'o-voided voided voided release authorise/succeeded/1/order::authorise void/succeeded/1/order::void',
        'o-voiding voiding authorised release authorise/succeeded/1/order::authorise void/pending/1/order::void',
      ],
    );
    const sandbox = await client.query<{ reference: string; state: string }>(
      'select reference, state from sandbox_payments order by reference',
    );
    assert.deepEqual(
      sandbox.rows.map(({ reference, state }) => `${reference} ${state}`),
      ['sandbox_1 authorised', 'sandbox_2 authorised', 'sandbox_3 voided'],
    );
  });
});
