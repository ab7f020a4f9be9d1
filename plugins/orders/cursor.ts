const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Where a page ended. Ids are made in the order of time (UUID version 7), so a new order never shifts a later page. */
export function toCursor(orderId: string): string {
  return Buffer.from(`1:${orderId}`).toString('base64url');
}

/** The id in a cursor; undefined when it is not one of ours. */
export function fromCursor(cursor: string): string | undefined {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const orderId = text.slice(2);
  return text.startsWith('1:') && uuidPattern.test(orderId) ? orderId : undefined;
}
