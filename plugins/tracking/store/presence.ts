import type { Queryable, Statement } from '#plugin-api';
import type { Settings } from '../settings.ts';
import type { Will } from '../will.ts';

export const presences = ['online', 'stale', 'offline'] as const;
export type Presence = (typeof presences)[number];

/*
 * Locked in the order of the drivers, as `store_fixes` does, so that the two never wait for each other in a circle.
 * A will that is older than the newest fix, or of another device than the one that sent it, changes nothing.
 */
const recordWillsStatement: Statement = {
  name: 'record_wills',
  text: `with will as (
      select driver_id, device, max(at) as at
      from unnest($1::text[], $2::text[], $3::timestamptz[]) as w (driver_id, device, at) group by driver_id, device
    ), present as (
      select driver_id from newest_positions where driver_id in (select driver_id from will)
      order by driver_id for update
    )
    update newest_positions p set will_at = will.at
    from will, present
    where p.driver_id = present.driver_id and will.driver_id = p.driver_id and will.device = p.device
      and will.at > p.recorded_at and (p.will_at is null or p.will_at < will.at)`,
};

/** @returns how many of them said something that was not known better */
export async function recordWills(db: Queryable, wills: readonly Will[]): Promise<number> {
  const { rowCount } = await db.query(recordWillsStatement, [
    wills.map((will) => will.driverId),
    wills.map((will) => will.device),
    wills.map((will) => will.at),
  ]);
  return rowCount;
}

/*
 * Presence is computed from what is stored whenever it is asked for: there is no state of its own that two nodes could
 * disagree about or that a restart could lose. $1 is now, $2 and $3 the two thresholds in seconds.
 */
const judged = `known as (
    select driver_id, p.recorded_at, p.will_at, coalesce(o.orders, 0) as orders
    from newest_positions p
    full join (
      select driver_id, count(*)::int as orders from tracked_orders where status = 'active' group by driver_id
    ) o using (driver_id)
  ), judged as (
    select driver_id, recorded_at, orders,
      case when recorded_at > $1::timestamptz - $2::float8 * interval '1 second' then 'online'
        when recorded_at > $1::timestamptz - $3::float8 * interval '1 second'
          and (will_at is null or will_at <= recorded_at) then 'stale'
        else 'offline' end as presence
    from known
  )`;

export type PresenceSettings = Pick<Settings, 'onlineSeconds' | 'offlineSeconds'>;

export interface PresentDriver {
  readonly driverId: string;
  readonly presence: Presence;
  /** Null when the driver has never sent a fix. */
  readonly recordedAt: string | null;
  /** Orders that the driver carries. */
  readonly orders: number;
}

export interface PresenceQuery {
  readonly settings: PresenceSettings;
  readonly nowMs: number;
  readonly presence: Presence | null;
  /** The drivers after this one. */
  readonly after: string;
  readonly limit: number;
}

const listPresenceStatement: Statement = {
  name: 'list_drivers_by_presence',
  text: `with ${judged}
    select driver_id as "driverId", presence, recorded_at as "recordedAt", orders from judged
    where ($4::text is null or presence = $4) and driver_id > $5 order by driver_id limit $6`,
};

/** Drivers that have sent a fix or carry an order, in the order of their ids. */
export async function listPresence(db: Queryable, query: PresenceQuery): Promise<readonly PresentDriver[]> {
  const { settings, nowMs, presence, after, limit } = query;
  const { rows } = await db.query<PresentDriver>(listPresenceStatement, [
    new Date(nowMs).toISOString(),
    settings.onlineSeconds,
    settings.offlineSeconds,
    presence,
    after,
    limit,
  ]);
  return rows;
}

export interface PresenceCount {
  readonly presence: Presence;
  readonly drivers: number;
  /** Those of them who carry an order. */
  readonly carrying: number;
}

const countPresenceStatement: Statement = {
  name: 'count_drivers_by_presence',
  text: `with ${judged}
    select presence, count(*)::int as drivers, (count(*) filter (where orders > 0))::int as carrying
    from judged group by presence`,
};

export async function countPresence(
  db: Queryable,
  settings: PresenceSettings,
  nowMs: number,
): Promise<readonly PresenceCount[]> {
  const { rows } = await db.query<PresenceCount>(countPresenceStatement, [
    new Date(nowMs).toISOString(),
    settings.onlineSeconds,
    settings.offlineSeconds,
  ]);
  return presences.map(
    (presence) => rows.find((row) => row.presence === presence) ?? { presence, drivers: 0, carrying: 0 },
  );
}
