import type { Queryable, Statement } from '#plugin-api';

const makePartitionsStatement: Statement = {
  name: 'make_ping_partitions',
  text: 'select make_ping_partitions($1::date[]) as made',
};

/** Makes the partitions of these UTC days that are not there, and says how many; any number of nodes may at once. */
export async function makePartitions(db: Queryable, days: readonly string[]): Promise<number> {
  const { rows } = await db.query<{ made: number }>(makePartitionsStatement, [days]);
  return rows[0]?.made ?? 0;
}

const dropOldestPartitionStatement: Statement = {
  name: 'drop_oldest_ping_partition',
  text: `select to_char(drop_oldest_ping_partition($1::date), 'YYYY-MM-DD') as day`,
};

/** Drops the oldest partition of a UTC day before this one; answers its day, or null when there is none. */
export async function dropOldestPartition(db: Queryable, beforeDay: string): Promise<string | null> {
  const { rows } = await db.query<{ day: string | null }>(dropOldestPartitionStatement, [beforeDay]);
  return rows[0]?.day ?? null;
}

export interface Partitions {
  readonly count: number;
  /** A UTC day; null when there is no partition. */
  readonly oldestDay: string | null;
}

const countPartitionsStatement: Statement = {
  name: 'count_ping_partitions',
  text: `select count(*)::int as count, to_char(min(day), 'YYYY-MM-DD') as "oldestDay" from ping_partitions`,
};

export async function countPartitions(db: Queryable): Promise<Partitions> {
  const { rows } = await db.query<Partitions>(countPartitionsStatement);
  return rows[0] ?? { count: 0, oldestDay: null };
}
