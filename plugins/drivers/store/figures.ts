import type { Queryable, Statement } from '#plugin-api';

export interface DispatchFigures {
  readonly waiting: number;
  /** Of those, the ones for whom nobody was found when they were tried. */
  readonly unavailable: number;
  readonly held: number;
  readonly assigned: number;
  /** Of the order that has waited longest; 0 without one. */
  readonly oldestWaitSeconds: number;
}

// Three counts, each by its partial index: the table also holds every order that ever was.
const readFiguresStatement: Statement = {
  name: 'read_dispatch_figures',
  text: `select w.waiting, w.unavailable, w.oldest as "oldestWaitSeconds",
      (select count(*)::int from driver_assignments where status = 'held') as held,
      (select count(*)::int from driver_assignments where status in ('assigned', 'accepted')) as assigned
    from (select count(*)::int as waiting, count(unavailable_at)::int as unavailable,
        coalesce(extract(epoch from now() - min(waiting_since)), 0)::double precision as oldest
      from driver_assignments where status = 'waiting') w`,
};

export async function readFigures(db: Queryable): Promise<DispatchFigures> {
  const { rows } = await db.query<DispatchFigures>(readFiguresStatement);
  const [row] = rows;
  if (row === undefined) throw new Error('Cannot read the figures: no row came back');
  return row;
}
