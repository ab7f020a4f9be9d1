import type { Database, Queryable, Statement } from '#plugin-api';
import type { NewPriceList, PriceList } from '../price.ts';

const columns = `version, valid_from as "validFrom", currency, base_minor as "baseMinor",
  further_parcel_minor as "furtherParcelMinor", distance_bands as "distanceBands", window_bands as "windowBands",
  created_by as "createdBy", created_at as "createdAt"`;

const listValidFromStatement: Statement = {
  name: 'list_price_lists_valid_from',
  text: `select ${columns} from price_lists
    where valid_from >= (select max(valid_from) from price_lists where valid_from <= $1)
    order by valid_from, version limit 100`,
};

/** As long as results of queries are kept at most. */
const slotMs = 120_000;
export const pricesChanged = 'order.prices_changed';

/**
 * The list that is valid at a moment: of those that have begun, the one that began last. Every booking asks, and lists
 * change now and then: what is kept are those that are valid in the moment's two minutes or will be later.
 */
export async function findPriceList(db: Pick<Database, 'cached'>, atMs: number): Promise<PriceList> {
  const slot = new Date(atMs - (atMs % slotMs)).toISOString();
  const { rows } = await db.cached<PriceList>(listValidFromStatement, [slot], { invalidatedBy: [pricesChanged] });
  const list = rows.findLast(({ validFrom }) => Date.parse(validFrom) <= atMs);
  // A migration has put one there that is valid from long ago.
  if (list === undefined) throw new TypeError(`Cannot price anything: no price list is valid at ${atMs}`);
  return list;
}

const listPriceListsStatement: Statement = {
  name: 'list_price_lists',
  text: `select ${columns} from price_lists where $1::integer is null or version < $1 order by version desc limit $2`,
};

/** Newest first. */
export async function listPriceLists(
  db: Queryable,
  { before, limit }: { readonly before: number | null; readonly limit: number },
): Promise<readonly PriceList[]> {
  const { rows } = await db.query<PriceList>(listPriceListsStatement, [before, limit]);
  return rows;
}

const insertPriceListStatement: Statement = {
  name: 'insert_price_list',
  text: `insert into price_lists (version, valid_from, currency, base_minor, further_parcel_minor, distance_bands,
      window_bands, created_by)
    values ($1, $2, $3, $4, $5, $6::jsonb, $7::jsonb, $8)
    on conflict (version) do nothing
    returning ${columns}`,
};

export interface PriceListToInsert {
  readonly version: number;
  readonly list: NewPriceList;
  readonly validFrom: string;
  readonly createdBy: string;
}

/** Undefined when somebody else has put this version. */
export async function insertPriceList(
  db: Queryable,
  { version, list, validFrom, createdBy }: PriceListToInsert,
): Promise<PriceList | undefined> {
  const { rows } = await db.query<PriceList>(insertPriceListStatement, [
    version,
    validFrom,
    list.currency,
    list.baseMinor,
    list.furtherParcelMinor,
    JSON.stringify(list.distanceBands),
    JSON.stringify(list.windowBands),
    createdBy,
  ]);
  return rows[0];
}
