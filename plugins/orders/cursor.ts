import type { Position } from './store/list.ts';

const pattern = /^2:(\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z):([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** Where a page ended, for the client to send back. */
export function toCursor({ createdAt, orderId }: Position): string {
  return Buffer.from(`2:${createdAt}:${orderId}`).toString('base64url');
}

/** The position in a cursor; undefined when it is not one of ours. */
export function fromCursor(cursor: string): Position | undefined {
  const [, createdAt, orderId] = pattern.exec(Buffer.from(cursor, 'base64url').toString('utf8')) ?? [];
  if (createdAt === undefined || orderId === undefined || Number.isNaN(Date.parse(createdAt))) return undefined;
  return { createdAt, orderId };
}
