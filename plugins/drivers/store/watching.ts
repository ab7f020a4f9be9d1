import type { Queryable, Statement } from '#plugin-api';

export interface SilentAssignment {
  readonly orderId: string;
  readonly customerId: string | null;
  readonly driverId: string;
  readonly attempt: number;
  readonly isPickedUp: boolean;
  /** Null: there never was a position. */
  readonly lastSeenAt: string | null;
}

// Silent from the newest position or the assignment on, whichever is later: who was given it by hand may be about to set off.
const silentCondition = `greatest(p.recorded_at, a.assigned_at) < now() - make_interval(secs => $1)`;

const listSilentStatement: Statement = {
  name: 'list_silent_assignments',
  text: `select a.order_id as "orderId", a.customer_id as "customerId", a.driver_id as "driverId", a.attempt,
      a.picked_up_at is not null as "isPickedUp", p.recorded_at as "lastSeenAt"
    from driver_assignments a left join tracking.driver_position p on p.driver_id = a.driver_id
    where a.status in ('assigned', 'accepted') and ${silentCondition}
      and (a.picked_up_at is null or a.silence_told_at is null or a.silence_told_at < p.recorded_at)
    order by a.assigned_at limit $2`,
};

/** Orders whose drivers are silent and something is to be done about it, the oldest first. */
export async function listSilent(
  db: Queryable,
  { silentSeconds, limit }: { readonly silentSeconds: number; readonly limit: number },
): Promise<readonly SilentAssignment[]> {
  const { rows } = await db.query<SilentAssignment>(listSilentStatement, [silentSeconds, limit]);
  return rows;
}

const isSilentStatement: Statement = {
  name: 'is_assignment_silent',
  text: `select a.order_id from driver_assignments a left join tracking.driver_position p on p.driver_id = a.driver_id
    where a.order_id = $2 and a.driver_id = $3 and a.status in ('assigned', 'accepted') and ${silentCondition}`,
};

/** Whether it is so still, now that the driver is locked. */
export async function isSilent(
  db: Queryable,
  {
    silentSeconds,
    orderId,
    driverId,
  }: Pick<SilentAssignment, 'orderId' | 'driverId'> & { readonly silentSeconds: number },
): Promise<boolean> {
  const { rowCount } = await db.query(isSilentStatement, [silentSeconds, orderId, driverId]);
  return rowCount === 1;
}

const tellSilenceStatement: Statement = {
  name: 'tell_silence',
  text: `update driver_assignments set silence_told_at = now()
    where order_id = $1 and driver_id = $2 and status in ('assigned', 'accepted') and picked_up_at is not null
      and (silence_told_at is null or silence_told_at < $3::timestamptz)`,
};

/** True for the first who tells of this silence. */
export async function tellSilence(
  db: Queryable,
  { orderId, driverId, lastSeenAt }: Pick<SilentAssignment, 'orderId' | 'driverId' | 'lastSeenAt'>,
): Promise<boolean> {
  const { rowCount } = await db.query(tellSilenceStatement, [orderId, driverId, lastSeenAt]);
  return rowCount === 1;
}

const listForgottenStatement: Statement = {
  name: 'list_forgotten_assignments',
  text: `select order_id as "orderId" from driver_assignments
    where status = 'waiting' and greatest(tried_at, waiting_since) < now() - make_interval(secs => $1)
    order by created_at limit $2`,
};

/** Orders that wait and that nobody has tried for a while: the job of their chain is lost, or in the dead letters. */
export async function listForgotten(
  db: Queryable,
  { seconds, limit }: { readonly seconds: number; readonly limit: number },
): Promise<readonly string[]> {
  const { rows } = await db.query<{ orderId: string }>(listForgottenStatement, [seconds, limit]);
  return rows.map(({ orderId }) => orderId);
}
