import type { Database, Metrics } from '#plugin-api';
import type { Refusal } from './errors.ts';
import type { Actor } from './lifecycle.ts';
import type { NewOrder } from './order.ts';
import { priceOf, type QuotedPrice } from './price.ts';
import { differencesOf, toPriced, toQuoted, type NewQuote, type Quote } from './quote.ts';
import type { Settings } from './settings.ts';
import { findPriceList } from './store/prices.ts';
import { findQuote, insertQuote } from './store/quotes.ts';

export interface PricingDeps {
  readonly db: Pick<Database, 'query' | 'cached' | 'transaction'>;
  readonly metrics: Metrics;
  readonly settings: Settings;
}

export interface QuoteRequest {
  readonly quoteId: string;
  readonly actor: Actor;
  readonly content: NewQuote;
}

/** Says what an order would cost, and holds it. Asked again with the same id it says the same. */
export async function giveQuote(
  { db, metrics, settings }: PricingDeps,
  { quoteId, actor, content }: QuoteRequest,
  nowMs: number,
): Promise<Quote> {
  const price = await priceNow(db, content, nowMs);
  const expiresAt = new Date(nowMs + settings.quoteMs).toISOString();
  const isNew = await insertQuote(db, actor, { quoteId, content, price, expiresAt });
  if (isNew) {
    metrics.increment('returnit_orders_quotes_total', { outcome: 'given' });
    return { quoteId, price, expiresAt };
  }
  const given = await findQuote(db, actor, quoteId);
  if (given === undefined) throw new TypeError(`Cannot give quote '${quoteId}': somebody else has it`);
  return { quoteId, price: given.price, expiresAt: given.expiresAt };
}

export interface BookingToPrice {
  readonly actor: Actor;
  readonly booking: NewOrder;
}

/** The price that was quoted for a booking, or today's; or why the quote is none for it. */
export async function priceBooking(
  deps: PricingDeps,
  { actor, booking }: BookingToPrice,
  nowMs: number,
): Promise<QuotedPrice | Refusal> {
  const { quoteId } = booking;
  if (quoteId === undefined) return priceNow(deps.db, toQuoted(booking), nowMs);
  const count = (outcome: string): void => deps.metrics.increment('returnit_orders_quotes_total', { outcome });
  const quote = await findQuote(deps.db, actor, quoteId);
  if (quote === undefined) {
    count('unknown');
    return { code: 'ORDER_QUOTE_UNKNOWN', detail: `No quote '${quoteId}' was given to you` };
  }
  if (Date.parse(quote.expiresAt) <= nowMs) {
    count('expired');
    return { code: 'ORDER_QUOTE_EXPIRED', detail: `The quote was held until ${quote.expiresAt}: ask for another one` };
  }
  const differing = differencesOf(quote.content, toQuoted(booking));
  if (differing.length > 0) {
    count('mismatch');
    const detail = `The booking is not what was quoted: it differs in ${differing.join(', ')}`;
    return { code: 'ORDER_QUOTE_MISMATCH', detail, extensions: { differing } };
  }
  count('used');
  return quote.price;
}

async function priceNow(db: Pick<Database, 'cached'>, content: NewQuote, nowMs: number): Promise<QuotedPrice> {
  return priceOf(toPriced(content), await findPriceList(db, nowMs));
}
