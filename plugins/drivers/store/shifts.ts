import type { Queryable, Statement } from '#plugin-api';
import type { Shift } from '../shift.ts';

export type ShiftKind = Shift['kind'];

const beginStatement: Statement = {
  name: 'begin_shift',
  text: `insert into driver_shifts (driver_id, kind, started_by) values ($1, $2, $3)
    on conflict (driver_id, kind) where ended_at is null do nothing`,
};

export async function beginShift(
  db: Queryable,
  shift: { readonly driverId: string; readonly kind: ShiftKind; readonly by: string },
): Promise<void> {
  await db.query(beginStatement, [shift.driverId, shift.kind, shift.by]);
}

const endStatement: Statement = {
  name: 'end_shifts',
  text: `update driver_shifts set ended_at = clock_timestamp(), ended_by = $3
    where driver_id = $1 and kind = any($2::text[]) and ended_at is null`,
};

export async function endShifts(
  db: Queryable,
  shifts: { readonly driverId: string; readonly kinds: readonly ShiftKind[]; readonly by: string },
): Promise<void> {
  await db.query(endStatement, [shifts.driverId, shifts.kinds, shifts.by]);
}

const listStatement: Statement = {
  name: 'list_shifts',
  text: `select kind, started_at as "startedAt", started_by as "startedBy", ended_at as "endedAt", ended_by as "endedBy"
    from driver_shifts
    where driver_id = $1 and (started_at, kind) < ($2::timestamptz, $3::text)
    order by started_at desc, kind desc limit $4`,
};

/** The newest first. */
export async function listShifts(
  db: Queryable,
  filter: {
    readonly driverId: string;
    readonly before: { readonly createdAt: string; readonly id: string };
    readonly limit: number;
  },
): Promise<readonly Shift[]> {
  const { driverId, before, limit } = filter;
  const { rows } = await db.query<Shift>(listStatement, [driverId, before.createdAt, before.id, limit]);
  return rows;
}
