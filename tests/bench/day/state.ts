import type { Rig } from '../../support/ingest/rig.ts';

export interface State {
  readonly byStatus: Readonly<Record<string, number>>;
  readonly jobs: number;
  readonly outbox: number;
  readonly dead: number;
  readonly ledger: number;
}

const over: ReadonlySet<string> = new Set(['completed', 'cancelled']);

const sum = (state: State, isCounted: (status: string) => boolean): number =>
  Object.entries(state.byStatus).reduce((total, [status, count]) => total + (isCounted(status) ? count : 0), 0);

/** Orders that have ended, and those that have not. */
export const endedOf = (state: State): number => sum(state, (status) => over.has(status));
export const openOf = (state: State): number => sum(state, (status) => !over.has(status));

/** What is so at this moment, read by one statement. */
export function readState({ database }: Rig): Promise<State> {
  return database.with(async (client) => {
    const { rows } = await client.query<State>(
      `select coalesce((select json_object_agg(status, count) from
          (select status, count(*)::int from orders.orders group by 1) as s), '{}') as "byStatus",
        (select count(*)::int from pgboss.job where state < 'completed' and name not like '%.dead'
          and not (state = 'created' and start_after > now())) as jobs,
        (select count(*)::int from returnit.outbox) as outbox,
        (select count(*)::int from pgboss.job where name like '%.dead') as dead,
        (select coalesce(sum(amount_minor), 0)::int from payments.ledger_entries) as ledger`,
    );
    const [row] = rows;
    if (row === undefined) throw new Error('Cannot read the state of the day');
    return row;
  });
}

/** Orders whose pickup failed and whose customer has yet to decide. */
export function listFailedPickups({ database }: Rig): Promise<readonly { orderId: string; customerId: string }[]> {
  return database.with(async (client) => {
    const { rows } = await client.query<{ orderId: string; customerId: string }>(
      `select order_id as "orderId", customer_id as "customerId" from orders.orders where status = 'pickup_failed'`,
    );
    return rows;
  });
}
