import type { Queryable, Statement } from '#plugin-api';

/** A driver who may be asked: on shift, without a break, with a fresh position. */
export interface FreeDriver {
  readonly driverId: string;
  readonly lat: number;
  readonly lon: number;
  readonly autoAccept: boolean;
  readonly vehicle: string;
  readonly capacityParcels: number | null;
  readonly capacityVolumeL: number | null;
  readonly orders: number;
  readonly parcels: number;
  readonly volumeL: number;
  readonly openOffers: number;
  readonly idleSeconds: number | null;
}

// What a driver carries or goes for. The volume of an order that nobody told is that of its parcels.
const loads = `select a.driver_id, count(*)::int as orders, sum(a.parcels)::int as parcels,
      sum(coalesce(a.volume_l, a.parcels * PARCEL_VOLUME))::int as volume_l
    from driver_assignments a where a.status in ('assigned', 'accepted') and a.driver_id is not null`;

const facts = `d.driver_id as "driverId", d.auto_accept as "autoAccept", d.vehicle,
    d.capacity_parcels as "capacityParcels", d.capacity_volume_l as "capacityVolumeL",
    coalesce(l.orders, 0) as orders, coalesce(l.parcels, 0) as parcels, coalesce(l.volume_l, 0) as "volumeL",
    coalesce(o.open, 0) as "openOffers",
    extract(epoch from clock_timestamp() - d.last_offered_at)::double precision as "idleSeconds"`;

const listFreeDriversStatement: Statement = {
  name: 'list_free_drivers',
  text: `with loads as (${loads.replace('PARCEL_VOLUME', '$2::int')} group by a.driver_id),
      offers as (select driver_id, count(*)::int as open from driver_offers where state = 'open' group by driver_id)
    select ${facts}, p.lat, p.lon
    from drivers d
    join tracking.driver_position p on p.driver_id = d.driver_id
    left join loads l on l.driver_id = d.driver_id
    left join offers o on o.driver_id = d.driver_id
    where d.on_shift and not d.on_break and d.status = 'approved' and d.driver_id > $3
      and p.recorded_at > now() - make_interval(secs => $1)
    order by d.driver_id limit $4`,
};

export interface FreeDriverPage {
  readonly positionAgeMaxSeconds: number;
  readonly parcelVolumeL: number;
  /** The last driver of the page before; '' for the first. */
  readonly after: string;
  readonly limit: number;
}

export async function listFreeDrivers(db: Queryable, page: FreeDriverPage): Promise<readonly FreeDriver[]> {
  const { rows } = await db.query<FreeDriver>(listFreeDriversStatement, [
    page.positionAgeMaxSeconds,
    page.parcelVolumeL,
    page.after,
    page.limit,
  ]);
  return rows;
}

const lockDriversStatement: Statement = {
  name: 'lock_drivers',
  text: `select driver_id from drivers where driver_id = any($1::text[]) order by driver_id for no key update`,
};

/** In the order of ids by everybody, and before any assignment, so that no two transactions wait for each other. */
export async function lockDrivers(db: Queryable, driverIds: readonly string[]): Promise<void> {
  if (driverIds.length > 0) await db.query(lockDriversStatement, [driverIds]);
}

export interface DriverFacts extends Omit<FreeDriver, 'lat' | 'lon'> {
  readonly status: 'applied' | 'approved' | 'suspended';
  readonly onShift: boolean;
  readonly onBreak: boolean;
}

const readFactsStatement: Statement = {
  name: 'read_driver_facts',
  text: `with loads as (${loads.replace('PARCEL_VOLUME', '$2::int')} and a.driver_id = any($1::text[]) group by a.driver_id),
      offers as (
        select driver_id, count(*)::int as open from driver_offers
        where state = 'open' and driver_id = any($1::text[]) group by driver_id)
    select ${facts}, d.status, d.on_shift as "onShift", d.on_break as "onBreak"
    from drivers d
    left join loads l on l.driver_id = d.driver_id
    left join offers o on o.driver_id = d.driver_id
    where d.driver_id = any($1::text[])`,
};

/** What drivers are now; to be believed for as long as they are locked. */
export async function readFacts(
  db: Queryable,
  driverIds: readonly string[],
  parcelVolumeL: number,
): Promise<ReadonlyMap<string, DriverFacts>> {
  const { rows } = await db.query<DriverFacts>(readFactsStatement, [driverIds, parcelVolumeL]);
  return new Map(rows.map((row) => [row.driverId, row]));
}

const markOfferedStatement: Statement = {
  name: 'mark_drivers_offered',
  text: `update drivers set last_offered_at = clock_timestamp() where driver_id = any($1::text[])`,
};

/** They have had their turn. To be called with the drivers locked. */
export async function markOffered(db: Queryable, driverIds: readonly string[]): Promise<void> {
  await db.query(markOfferedStatement, [driverIds]);
}
