import type { Queryable, Statement } from '#plugin-api';

const findPositionStatement: Statement = {
  name: 'find_driver_position',
  text: `select lat, lon from tracking.driver_position
    where driver_id = $1 and recorded_at > now() - make_interval(secs => $2)`,
};

/** Undefined when none is as fresh. */
export async function findPosition(
  db: Queryable,
  driverId: string,
  ageMaxSeconds: number,
): Promise<{ readonly lat: number; readonly lon: number } | undefined> {
  const { rows } = await db.query<{ lat: number; lon: number }>(findPositionStatement, [driverId, ageMaxSeconds]);
  return rows[0];
}
