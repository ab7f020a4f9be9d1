import type { Queryable, Statement } from '#plugin-api';
import type { DocumentKind, DriverDocument, NewDocument } from '../document.ts';

const columns = `kind, number, expires_on::text as "expiresOn", recorded_at as "recordedAt", recorded_by as "recordedBy", version`;

export interface DocumentToRecord extends NewDocument {
  readonly driverId: string;
  readonly kind: DocumentKind;
  readonly recordedBy: string;
}

const recordDocumentStatement: Statement = {
  name: 'record_document',
  text: `insert into driver_documents (driver_id, kind, number, expires_on, recorded_by) values ($1, $2, $3, $4, $5)
    on conflict (driver_id, kind) do update set number = excluded.number, expires_on = excluded.expires_on,
      recorded_by = excluded.recorded_by, recorded_at = now(), version = driver_documents.version + 1
    returning ${columns}`,
};

/** One of each kind: the newer replaces the older. */
export async function recordDocument(db: Queryable, document: DocumentToRecord): Promise<DriverDocument> {
  const { driverId, kind, number, expiresOn, recordedBy } = document;
  const { rows } = await db.query<DriverDocument>(recordDocumentStatement, [
    driverId,
    kind,
    number,
    expiresOn,
    recordedBy,
  ]);
  const [row] = rows;
  if (row === undefined) throw new Error(`Cannot record the ${kind} of driver '${driverId}': nothing was written`);
  return row;
}

const listDocumentsStatement: Statement = {
  name: 'list_documents',
  text: `select ${columns} from driver_documents where driver_id = $1 order by kind`,
};

export async function listDocuments(db: Queryable, driverId: string): Promise<readonly DriverDocument[]> {
  const { rows } = await db.query<DriverDocument>(listDocumentsStatement, [driverId]);
  return rows;
}

export interface ExpiringDocument {
  readonly driverId: string;
  readonly kind: DocumentKind;
  readonly expiresOn: string;
}

// Once for each expiry: a document that is renewed is warned of again when its new one comes near.
const warnStatement: Statement = {
  name: 'warn_of_documents',
  text: `update driver_documents set warned_for = expires_on
    where (driver_id, kind) in (
      select v.driver_id, v.kind from driver_documents v join drivers d on d.driver_id = v.driver_id
      where v.expires_on >= $1::date and v.expires_on <= $1::date + $2::int
        and v.warned_for is distinct from v.expires_on and d.status = 'approved'
      order by v.expires_on, v.driver_id, v.kind limit $3 for update of v skip locked)
    returning driver_id as "driverId", kind, expires_on::text as "expiresOn"`,
};

/** Documents that expire within so many days and were not warned of. */
export async function warnOfDocuments(
  db: Queryable,
  { today, days, limit }: { readonly today: string; readonly days: number; readonly limit: number },
): Promise<readonly ExpiringDocument[]> {
  const { rows } = await db.query<ExpiringDocument>(warnStatement, [today, days, limit]);
  return rows;
}

const listExpiredStatement: Statement = {
  name: 'list_expired_documents',
  text: `select v.driver_id as "driverId", v.kind, v.expires_on::text as "expiresOn"
    from driver_documents v join drivers d on d.driver_id = v.driver_id
    where v.expires_on < $1::date and v.kind = any($2::text[]) and d.status = 'approved' and v.driver_id > $3
    order by v.driver_id, v.kind limit $4`,
};

/** Required documents of approved drivers whose last day is over. */
export async function listExpired(
  db: Queryable,
  filter: {
    readonly today: string;
    readonly required: readonly DocumentKind[];
    readonly after: string;
    readonly limit: number;
  },
): Promise<readonly ExpiringDocument[]> {
  const { today, required, after, limit } = filter;
  const { rows } = await db.query<ExpiringDocument>(listExpiredStatement, [today, required, after, limit]);
  return rows;
}
