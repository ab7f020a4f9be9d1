import type { Queryable, Statement } from '#plugin-api';
import type { DisputeState, ProviderDispute } from '../providers/provider.ts';

const lockDisputeStatement: Statement = {
  name: 'lock_dispute',
  text: `select state from disputes where provider = $1 and dispute_reference = $2 for update`,
};

/** With its payment locked; undefined when it is new. */
export async function lockDispute(
  db: Queryable,
  provider: string,
  reference: string,
): Promise<DisputeState | undefined> {
  const { rows } = await db.query<{ state: DisputeState }>(lockDisputeStatement, [provider, reference]);
  return rows[0]?.state;
}

export interface DisputeToKeep {
  readonly provider: string;
  readonly paymentId: string;
  readonly dispute: ProviderDispute;
}

const upsertDisputeStatement: Statement = {
  name: 'upsert_dispute',
  text: `insert into disputes (provider, dispute_reference, payment_id, state, amount_minor, reason, closed_at)
    values ($1, $2, $3, $4, $5, $6, case when $4 = 'opened' then null else now() end)
    on conflict (provider, dispute_reference) do update set state = excluded.state, closed_at = excluded.closed_at
      where disputes.state = 'opened' and excluded.state <> 'opened'`,
};

/** What is decided stays decided, however late an earlier word comes. */
export async function upsertDispute(db: Queryable, { provider, paymentId, dispute }: DisputeToKeep): Promise<void> {
  await db.query(upsertDisputeStatement, [
    provider,
    dispute.reference,
    paymentId,
    dispute.state,
    dispute.amountMinor,
    dispute.reason,
  ]);
}

export interface ShownDispute {
  readonly disputeId: string;
  readonly state: DisputeState;
  readonly amountMinor: number;
  readonly reason: string;
  readonly openedAt: string;
  readonly closedAt: string | null;
}

const listDisputesStatement: Statement = {
  name: 'list_disputes',
  text: `select dispute_reference as "disputeId", state, amount_minor as "amountMinor", reason, opened_at as "openedAt",
      closed_at as "closedAt"
    from disputes where payment_id = $1 order by opened_at limit 100`,
};

export async function listDisputes(db: Queryable, paymentId: string): Promise<readonly ShownDispute[]> {
  const { rows } = await db.query<ShownDispute>(listDisputesStatement, [paymentId]);
  return rows;
}
