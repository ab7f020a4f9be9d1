import type { Queryable, Statement } from '#plugin-api';
import type { PlaceWanted } from '../window.ts';

// Looked for and taken in one statement: of many that want the last place one finds the row as it expects it.
const takePlaceStatement: Statement = {
  name: 'take_place',
  text: `with free as (
      select s.starts_at from unnest($3::timestamptz[]) as s (starts_at)
      left join pickup_windows w on w.area = $2 and w.starts_at = s.starts_at
      where coalesce(w.taken, 0) < coalesce(w.capacity, $4::integer)
      order by s.starts_at limit 1
    ), taken as (
      insert into pickup_windows as w (area, starts_at, taken) select $2, starts_at, 1 from free
      on conflict (area, starts_at) do update set taken = w.taken + 1
        where w.taken < coalesce(w.capacity, $4::integer)
      returning w.starts_at
    ), held as (
      insert into order_places (order_id, area, starts_at) select $1::uuid, $2, starts_at from taken
    )
    select exists (select from free) as "isFree", exists (select from taken) as "isTaken"`,
};

/**
 * Takes a place for an order in the first of the slots that has room; false when none has. To be called last in a
 * transaction: bookings of an area wait for each other from here to the commit.
 */
export async function takePlace(tx: Queryable, orderId: string, wanted: PlaceWanted): Promise<boolean> {
  const { area, slots, capacityDefault } = wanted;
  for (;;) {
    const { rows } = await tx.query<{ isFree: boolean; isTaken: boolean }>(takePlaceStatement, [
      orderId,
      area,
      slots,
      capacityDefault,
    ]);
    if (rows[0]?.isTaken === true) return true;
    if (rows[0]?.isFree !== true) return false;
    // Somebody took the last place between the look and the taking: the next look sees it gone.
  }
}

const releasePlaceStatement: Statement = {
  name: 'release_place',
  text: `with freed as (delete from order_places where order_id = $1 returning area, starts_at)
    update pickup_windows w set taken = taken - 1 from freed where w.area = freed.area and w.starts_at = freed.starts_at`,
};

/** Gives back the place of an order, once. */
export async function releasePlace(tx: Queryable, orderId: string): Promise<void> {
  await tx.query(releasePlaceStatement, [orderId]);
}

const lockWindowsStatement: Statement = {
  name: 'lock_windows',
  text: `select from pickup_windows w
    where (w.area = $2 and w.starts_at = any($3::timestamptz[]))
      or exists (select from order_places p where p.order_id = $1 and p.area = w.area and p.starts_at = w.starts_at)
    order by w.area, w.starts_at for update`,
};

/** Exchanges the place of an order for another; false when there is none. */
export async function exchangePlace(tx: Queryable, orderId: string, wanted: PlaceWanted): Promise<boolean> {
  // In one order, so that two that exchange crosswise do not wait for each other for ever.
  await tx.query(lockWindowsStatement, [orderId, wanted.area, wanted.slots]);
  await releasePlace(tx, orderId);
  return takePlace(tx, orderId, wanted);
}

export interface WindowRoom {
  readonly start: string;
  readonly capacity: number;
  readonly taken: number;
  /** Of the capacity: how often it was set, and one. */
  readonly version: number;
}

const listRoomStatement: Statement = {
  name: 'list_window_room',
  text: `select s.starts_at as start, coalesce(w.capacity, $3::integer) as capacity, coalesce(w.taken, 0) as taken,
      coalesce(w.version, 1) as version
    from unnest($2::timestamptz[]) as s (starts_at)
    left join pickup_windows w on w.area = $1 and w.starts_at = s.starts_at
    where not $4::boolean or coalesce(w.taken, 0) < coalesce(w.capacity, $3::integer)
    order by s.starts_at limit $5`,
};

export interface RoomQuery {
  readonly withRoomOnly: boolean;
  readonly limit: number;
}

/** How many places the slots of an area have, and how many are taken. */
export async function listRoom(
  db: Queryable,
  { area, slots, capacityDefault }: PlaceWanted,
  { withRoomOnly, limit }: RoomQuery,
): Promise<readonly WindowRoom[]> {
  const { rows } = await db.query<WindowRoom>(listRoomStatement, [area, slots, capacityDefault, withRoomOnly, limit]);
  return rows;
}

const setCapacityStatement: Statement = {
  name: 'set_window_capacity',
  text: `insert into pickup_windows as w (area, starts_at, capacity, version)
    select $1, $2::timestamptz, $3::integer, 2
    where $4::integer is null or $4 = 1
      or exists (select from pickup_windows known where known.area = $1 and known.starts_at = $2::timestamptz)
    on conflict (area, starts_at) do update set capacity = excluded.capacity, version = w.version + 1
      where $4::integer is null or w.version = $4
    returning taken, version`,
};

export interface CapacityChange {
  readonly area: string;
  readonly start: string;
  /** Null is the default of the settings. */
  readonly capacity: number | null;
  /** Null: whatever it is now. */
  readonly expectedVersion: number | null;
}

/** Undefined when it is of another version. */
export async function setCapacity(
  db: Queryable,
  { area, start, capacity, expectedVersion }: CapacityChange,
): Promise<Pick<WindowRoom, 'taken' | 'version'> | undefined> {
  const values = [area, start, capacity, expectedVersion];
  const { rows } = await db.query<Pick<WindowRoom, 'taken' | 'version'>>(setCapacityStatement, values);
  return rows[0];
}
