/** Pages are in the order of ids, so a driver who registers meanwhile never shifts one. */
export function toCursor(driverId: string): string {
  return Buffer.from(`1:${driverId}`).toString('base64url');
}

/** The id in a cursor; undefined when it is not one of ours. */
export function fromCursor(cursor: string): string | undefined {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  return /^1:[A-Za-z0-9_-]{1,64}$/.test(text) ? text.slice(2) : undefined;
}

/** Where a page of newest-first rows ended. */
export interface TimeCursor {
  readonly createdAt: string;
  readonly id: string;
}

/** Before the first page: later and higher than anything. */
export const fromTheNewest = (kind: 'text' | 'uuid'): TimeCursor => ({
  createdAt: '9999-12-31T23:59:59.999Z',
  id: kind === 'uuid' ? 'ffffffff-ffff-ffff-ffff-ffffffffffff' : '~',
});

export function toTimeCursor({ createdAt, id }: TimeCursor): string {
  return Buffer.from(`2:${createdAt} ${id}`).toString('base64url');
}

const timeForm = /^2:(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([A-Za-z0-9_-]{1,64})$/;
const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Undefined when it is not one of ours. */
export function fromTimeCursor(cursor: string, kind: 'text' | 'uuid'): TimeCursor | undefined {
  const match = timeForm.exec(Buffer.from(cursor, 'base64url').toString('utf8'));
  const [, createdAt = '', id = ''] = match ?? [];
  if (match === null || Number.isNaN(Date.parse(createdAt))) return undefined;
  return kind === 'uuid' && !uuidForm.test(id) ? undefined : { createdAt, id };
}

/** The rows of a page of which one more was read, and where the next one goes on. */
export function toPage<Row>(
  rows: readonly Row[],
  limit: number,
  cursorOf: (row: Row) => string,
): { readonly rows: readonly Row[]; readonly nextCursor: string | null } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { rows: page, nextCursor: rows.length > limit && last !== undefined ? cursorOf(last) : null };
}
