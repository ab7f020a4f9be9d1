/** The plugin on a real database, with its jobs done as the core would: again after a failure, at the same time as others. */
import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import type { Principal } from '#plugin-api';
import { plugin } from '../../../plugins/payments/plugin.ts';
import type { Sent } from '../support/database-adapter.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';

export const ops: Principal = { id: 'ops-1', role: 'ops' };

export interface OrderOptions {
  readonly method?: string;
  readonly amountMinor?: number;
  readonly customerId?: string;
  readonly partnerId?: string | null;
}

export interface Drained {
  /** Messages of attempts that failed, in order. */
  readonly failures: string[];
}

export interface PaymentsFixture {
  readonly data: PluginDatabase;
  readonly running: RunningPlugin;
  /** `order.created`; the id of the order. */
  book(options?: OrderOptions): Promise<string>;
  tell(event: string, orderId: string, data?: object): Promise<void>;
  /** Does the jobs that were sent, and those that they send, until none is left. A job is given up after so many attempts. */
  drain(options?: { readonly attempts?: number }): Promise<Drained>;
  /** Does the jobs of these queues no more before it is called with none. */
  hold(...queues: readonly string[]): void;
  paymentOf(orderId: string): Promise<Detail>;
  refund(orderId: string, amountMinor: number, headers?: Readonly<Record<string, string>>): Promise<Reply>;
  /** Names of what was published about an order, in order. */
  eventsOf(orderId: string): string[];
  /** What provider and plugin say of each other. */
  agree(): Promise<void>;
  /** What must hold of the ledger whatever has happened. */
  checkBooks(): Promise<void>;
  stop(): Promise<void>;
}

export interface Detail {
  readonly paymentId: string;
  readonly status: string;
  readonly amountMinor: number;
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  readonly declineReason: string | null;
  readonly failureReason: string | null;
  readonly isOwed: boolean;
  readonly version: number;
  readonly operations: readonly {
    readonly operationId: string;
    readonly kind: string;
    readonly number: number;
    readonly idempotencyKey: string;
    readonly status: string;
    readonly asks: number;
    readonly amountMinor: number;
    readonly requestedBy: string;
  }[];
  readonly disputes: readonly { readonly disputeId: string; readonly state: string }[];
}

export async function createPaymentsFixture(
  environment: Readonly<Record<string, string>> = {},
): Promise<PaymentsFixture> {
  const data = await createPluginDatabase('payments');
  const running = await runPlugin(plugin, data.db, environment);
  const drain = createDrain(data, running);
  const tell: PaymentsFixture['tell'] = (event, orderId, extra = {}) => running.deliver(event, { orderId, ...extra });
  const paymentOf = async (orderId: string): Promise<Detail> => {
    const rows = await data.sql('select payment_id from payments where order_id = $1', [orderId]);
    assert.equal(rows.length, 1, `payments of order ${orderId}`);
    const paymentId = String(rows[0]?.['payment_id']);
    const { body } = await running.request('GET /payments/{paymentId}', { principal: ops, params: { paymentId } });
    return body as unknown as Detail;
  };
  return {
    data,
    running,
    tell,
    drain: drain.run,
    hold: drain.hold,
    paymentOf,
    async book(options = {}) {
      const orderId = randomUUIDv7();
      const { method = 'tok_default', amountMinor = 590, customerId = 'c1', partnerId = null } = options;
      const payment = { amountMinor, currency: 'EUR', method };
      await tell('order.created', orderId, { customerId, partnerId, payment });
      return orderId;
    },
    async refund(orderId, amountMinor, headers = {}) {
      const { paymentId } = await paymentOf(orderId);
      return running.request('POST /payments/{paymentId}/refunds', {
        principal: ops,
        params: { paymentId },
        body: { amountMinor, reason: 'damaged' },
        headers,
      });
    },
    eventsOf: (orderId) =>
      data.sent
        .filter(({ kind, data: sent }) => kind === 'event' && sent['orderId'] === orderId)
        .map(({ name }) => name),
    agree: () => assertAgreement(data),
    checkBooks: () => assertBooks(data),
    stop: () => data.stop(),
  };
}

function createDrain(data: PluginDatabase, running: RunningPlugin) {
  let done = 0;
  let held: readonly string[] = [];
  const waiting: Sent[] = [];

  async function work(job: Sent, attempts: number, failures: string[]): Promise<void> {
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      try {
        await running.work(job.name, job.data, attempt);
        return;
      } catch (error) {
        failures.push((error as Error).message);
      }
    }
  }

  return {
    hold: (...queues: readonly string[]) => void (held = queues),
    async run({ attempts = 5 }: { readonly attempts?: number } = {}): Promise<Drained> {
      const failures: string[] = [];
      for (;;) {
        waiting.push(...data.sent.slice(done).filter(({ kind }) => kind === 'job'));
        done = data.sent.length;
        const ready = waiting.filter(({ name }) => !held.includes(name));
        if (ready.length === 0) return { failures };
        waiting.splice(0, waiting.length, ...waiting.filter(({ name }) => held.includes(name)));
        await Promise.all(ready.map((job) => work(job, attempts, failures)));
      }
    },
  };
}

/** Every transaction and all of them together sum to zero, and what was collected is what payments say. */
export async function assertBooks(data: PluginDatabase): Promise<void> {
  const unbalanced = await data.sql(
    `select transaction_id from ledger_entries group by transaction_id, currency having sum(amount_minor) <> 0`,
  );
  assert.deepEqual(unbalanced, []);
  const [total] = await data.sql('select coalesce(sum(amount_minor), 0)::integer as sum from ledger_entries');
  assert.equal(total?.['sum'], 0);
  const wrong = await data.sql(
    `select p.order_id, p.captured_minor, p.refunded_minor, l.collected from payments p
     left join lateral (select coalesce(sum(e.amount_minor), 0)::integer as collected
       from ledger_entries e join ledger_transactions t using (transaction_id)
       where t.order_id = p.order_id and e.account = 'provider_clearing') l on true
     left join lateral (select coalesce(sum(amount_minor), 0)::integer as withheld
       from disputes d where d.payment_id = p.payment_id and d.state <> 'won') d on true
     where l.collected <> p.captured_minor - p.refunded_minor - d.withheld`,
  );
  assert.deepEqual(wrong, []);
  const owing = await data.sql(
    `select p.order_id, p.is_owed, l.owed from payments p
     left join lateral (select coalesce(sum(e.amount_minor), 0)::integer as owed
       from ledger_entries e join ledger_transactions t using (transaction_id)
       where t.order_id = p.order_id and e.account = 'customer_receivable') l on true
     where l.owed <> case when p.is_owed then p.amount_minor else 0 end`,
  );
  assert.deepEqual(owing, []);
}

/** With nothing under way the embedded provider has moved exactly what stands here, and nothing that does not. */
async function assertAgreement(data: PluginDatabase): Promise<void> {
  const differing = await data.sql(
    `select p.order_id, p.intent, p.captured_minor, p.refunded_minor, s.state, s.captured_minor as there, r.refunded
     from sandbox_payments s
     left join payments p on p.provider_reference = s.reference
     left join lateral (select coalesce(sum(amount_minor), 0)::integer as refunded
       from sandbox_refunds where payment_reference = s.reference) r on true
     where p.payment_id is null or p.intent <> s.state or p.captured_minor <> s.captured_minor
       or p.refunded_minor <> r.refunded or p.refund_reserved_minor <> r.refunded`,
  );
  assert.deepEqual(differing, []);
  const [counts] = await data.sql(
    `select (select count(*)::integer from sandbox_payments) as there,
       (select count(distinct order_id)::integer from sandbox_payments) as orders`,
  );
  assert.equal(counts?.['there'], counts?.['orders'], 'a payment each');
}
