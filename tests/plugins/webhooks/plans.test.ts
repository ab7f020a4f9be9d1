import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { listStatement } from '../../../plugins/webhooks/store/deliveries.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';

describe('listDeliveries()', () => {
  let data: PluginDatabase;
  const endpointId = randomUUID();
  before(async () => {
    data = await createPluginDatabase('webhooks');
    await data.sql(`insert into webhook_partners select 'p' || n from generate_series(1, 100) n`);
    await data.sql(`insert into webhook_endpoints (endpoint_id, partner_id, url, description, event_types)
      select case when n = 1 then '${endpointId}'::uuid else gen_random_uuid() end, 'p' || n, 'https://a.example/', '', '{order.*}'
      from generate_series(1, 100) n`);
    await data.sql(`insert into webhook_messages (message_id, partner_id, type, rank, body)
      select 'msg_' || n, 'p1', 'order.created', n, '{}' from generate_series(1, 300) n`);
    await data.sql(`insert into webhook_deliveries
        (endpoint_id, message_id, partner_id, order_id, type, rank, state, due_at, expires_at, finished_at)
      select e.endpoint_id, m.message_id, e.partner_id, 'o' || m.rank || e.partner_id, m.type, m.rank, 'delivered', now(), now(), now()
      from webhook_endpoints e cross join webhook_messages m`);
    await data.sql('analyze webhook_deliveries');
  });
  after(() => data.stop());

  const plans = {
    idx_webhook_deliveries_sequence: [[], []],
    idx_webhook_deliveries_partner: [['partner'], ['p1']],
    idx_webhook_deliveries_order: [['order'], ['o1p1']],
    idx_webhook_deliveries_endpoint: [['endpoint'], [endpointId]],
  } as const;
  for (const [index, [filters, values]] of Object.entries(plans)) {
    it(`reads ${index} with ${filters[0] ?? 'no filter'}, and no row more than it answers`, async () => {
      const { text } = listStatement([...filters]);
      const rows = await data.sql(`explain (analyze, buffers off, format json) ${text}`, [
        '9223372036854775807',
        20,
        ...values,
      ]);
      const plan = JSON.stringify(rows);
      assert.ok(plan.includes(`"${index}"`), plan);
      assert.ok(!plan.includes('Rows Removed by Filter'), plan);
    });
  }

  it('has a name of its own for each set of filters, which Postgres does not cut off', () => {
    const all = ['partner', 'order', 'endpoint', 'state'] as const;
    const sets = Array.from({ length: 16 }, (_, bits) => all.filter((_name, index) => (bits & (1 << index)) !== 0));
    const names = sets.map((filters) => listStatement(filters).name);
    assert.equal(new Set(names).size, 16);
    for (const name of names) assert.ok(Buffer.byteLength(name) <= 63, name);
  });
});
