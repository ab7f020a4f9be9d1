import type { Queryable, Statement } from '#plugin-api';
import type { Progress } from '../decision.ts';
import { toNumber } from '../situation.ts';

const noteProgressStatement: Statement = {
  name: 'note_order_progress',
  text: `insert into order_progress as known (order_id, version, status, assignment_sequence, updated_at)
    values ($1, $2, $3, $4, $5)
    on conflict (order_id) do update
      set status = case when excluded.version > coalesce(known.version, -1) then excluded.status else known.status end,
        version = greatest(known.version, excluded.version),
        assignment_sequence = greatest(known.assignment_sequence, excluded.assignment_sequence),
        updated_at = greatest(known.updated_at, excluded.updated_at)
    returning version, status, assignment_sequence as "assignmentSequence"`,
};

export interface NotedProgress {
  readonly orderId: string;
  readonly version: number | null;
  readonly status: string | null;
  readonly assignmentSequence: number | null;
  readonly nowMs: number;
}

interface ProgressRow {
  readonly version: string | null;
  readonly status: string | null;
  readonly assignmentSequence: string | null;
}

/** Only ever forward, whatever the order in which events come. @returns what is known now */
export async function noteProgress(db: Queryable, progress: NotedProgress): Promise<Progress> {
  const { rows } = await db.query<ProgressRow>(noteProgressStatement, [
    progress.orderId,
    progress.version,
    progress.version === null ? null : progress.status,
    progress.assignmentSequence,
    new Date(progress.nowMs).toISOString(),
  ]);
  const [row] = rows;
  if (row === undefined) throw new Error('the progress of an order was written, and nothing came back');
  return {
    version: toNumber(row.version),
    status: row.status,
    assignmentSequence: toNumber(row.assignmentSequence),
  };
}
