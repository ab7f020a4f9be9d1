import type { Queryable, Statement } from '#plugin-api';
import type { Actor } from '../lifecycle.ts';
import type { QuotedPrice } from '../price.ts';
import type { NewQuote } from '../quote.ts';

export interface StoredQuote {
  readonly quoteId: string;
  readonly content: NewQuote;
  readonly price: QuotedPrice;
  readonly expiresAt: string;
}

const columns = `quote_id as "quoteId", content, price, expires_at as "expiresAt"`;

// A few that expired a day ago go with each that comes: there are never many more than a day's.
const insertQuoteStatement: Statement = {
  name: 'insert_quote',
  text: `with dropped as (
      delete from quotes where quote_id in (
        select quote_id from quotes where expires_at < now() - interval '1 day'
        order by expires_at limit 5 for update skip locked)
    )
    insert into quotes (quote_id, created_by_role, created_by, content, price, expires_at)
    values ($1, $2, $3, $4::jsonb, $5::jsonb, $6)
    on conflict (quote_id) do nothing`,
};

/** False when there is a quote with this id. */
export async function insertQuote(db: Queryable, createdBy: Actor, quote: StoredQuote): Promise<boolean> {
  const { rowCount } = await db.query(insertQuoteStatement, [
    quote.quoteId,
    createdBy.kind,
    createdBy.id,
    JSON.stringify(quote.content),
    JSON.stringify(quote.price),
    quote.expiresAt,
  ]);
  return rowCount === 1;
}

const findQuoteStatement: Statement = {
  name: 'find_quote',
  text: `select ${columns} from quotes where quote_id = $1 and created_by_role = $2 and created_by = $3`,
};

/** A quote that this principal was given. */
export async function findQuote(db: Queryable, createdBy: Actor, quoteId: string): Promise<StoredQuote | undefined> {
  const { rows } = await db.query<StoredQuote>(findQuoteStatement, [quoteId, createdBy.kind, createdBy.id]);
  return rows[0];
}
