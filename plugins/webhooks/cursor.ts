/** Where a page ended: the sequence in which deliveries were made, or the id of an endpoint. */
export function toCursor(place: string): string {
  return Buffer.from(`1:${place}`).toString('base64url');
}

/** The place in a cursor; undefined when it is not one of ours. */
export function fromCursor(cursor: string, form: RegExp): string | undefined {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const place = text.slice(2);
  return text.startsWith('1:') && form.test(place) ? place : undefined;
}

export const sequenceForm = /^\d{1,18}$/;
export const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
