import type { Queryable, Statement } from '#plugin-api';

export interface ShownRun {
  readonly runId: string;
  readonly provider: string;
  readonly from: string;
  readonly to: string;
  readonly state: 'listing' | 'searching' | 'done';
  readonly compared: number;
  /** Found first by this run. */
  readonly differences: number;
  readonly startedAt: string;
  readonly finishedAt: string | null;
}

const listRunsStatement: Statement = {
  name: 'list_reconciliations',
  text: `select run_id as "runId", provider, from_at as "from", to_at as "to", state, compared,
      (select count(*)::integer from differences d where d.run_id = r.run_id) as differences,
      started_at as "startedAt", finished_at as "finishedAt"
    from reconciliations r order by started_at desc, run_id limit 100`,
};

/** The newest: they are one a night and provider. */
export async function listRuns(db: Queryable): Promise<readonly ShownRun[]> {
  return (await db.query<ShownRun>(listRunsStatement)).rows;
}

const figuresStatement: Statement = {
  name: 'read_payment_figures',
  text: `select (select count(*)::integer from differences where resolved_at is null) as unreconciled,
    (select coalesce(extract(epoch from now() - min(created_at)), 0)::float8 from operations where status = 'pending')
      as "oldestPendingSeconds"`,
};

export interface PaymentFigures {
  readonly unreconciled: number;
  readonly oldestPendingSeconds: number;
}

export async function readFigures(db: Queryable): Promise<PaymentFigures> {
  const { rows } = await db.query<PaymentFigures>(figuresStatement);
  return rows[0] as PaymentFigures;
}
