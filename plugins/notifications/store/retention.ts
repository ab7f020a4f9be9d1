import type { Queryable, Statement } from '#plugin-api';

const forgetMessagesStatement: Statement = {
  name: 'forget_notifications',
  text: `delete from notifications where notification_id in (
      select notification_id from notifications where created_at < $1 order by created_at limit $2)`,
};

const forgetProgressStatement: Statement = {
  name: 'forget_order_progress',
  text: `delete from order_progress where order_id in (
      select order_id from order_progress where updated_at < $1 order by updated_at limit $2)`,
};

/** How many messages were deleted: fewer than `limit` when there are no more. */
export async function forgetMessages(db: Queryable, before: string, limit: number): Promise<number> {
  return (await db.query(forgetMessagesStatement, [before, limit])).rowCount;
}

export async function forgetProgress(db: Queryable, before: string, limit: number): Promise<number> {
  return (await db.query(forgetProgressStatement, [before, limit])).rowCount;
}
