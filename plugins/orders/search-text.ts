import type { NewOrder } from './order.ts';

/** Punctuation of ASCII and control characters; letters and digits of every script are left. */
const punctuation = /[\p{Cc}!-/:-@[-`{-~\s]+/gu;

const normalise = (text: string): string => text.normalize('NFKC').toLowerCase().replaceAll(punctuation, ' ').trim();

/** What an order is found by, in the form that queries have too. */
export function toSearchText(booking: NewOrder, parcelCodes: readonly string[]): string {
  const { pickup, destination } = booking;
  const addresses = [pickup, destination.address].flatMap(({ line1, line2, city, postalCode }) => [
    line1,
    line2,
    city,
    postalCode,
  ]);
  const names = [booking.reference, booking.retailer, booking.orderReference, destination.name];
  return normalise([...names, ...addresses, ...parcelCodes].filter((part) => part !== undefined).join(' '));
}

const wordsMax = 8;

/** A query for all orders that have a word that begins with each of these; undefined when the text has no word. */
export function toSearchQuery(text: string): string | undefined {
  const words = normalise(text)
    .split(' ')
    .filter((word) => word !== '')
    .slice(0, wordsMax);
  return words.length === 0 ? undefined : words.map((word) => `'${word}':*`).join(' & ');
}
