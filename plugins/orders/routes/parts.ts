import { Type } from 'typebox';
import type { HttpReply, PluginContext } from '#plugin-api';
import { refuse } from '../errors.ts';
import { toETag } from '../etag.ts';
import type { Settings } from '../settings.ts';
import type { StoredOrder } from '../store/rows.ts';

/** What every family of routes is given. */
export interface RouteDeps {
  readonly ctx: PluginContext;
  readonly settings: Settings;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export const OrderParams = Type.Object({ orderId: Type.String({ format: 'uuid' }) }, { additionalProperties: false });

export const notFound = (orderId: string): ReturnType<typeof refuse> =>
  refuse('ORDER_NOT_FOUND', `No order '${orderId}' of yours exists`);

/** An order with the tag by which the next change can say which version it is for. */
export function replyWith(
  { order, version }: StoredOrder,
  headers: Readonly<Record<string, string>> = {},
): HttpReply & { readonly status: number } {
  return { status: 200, body: order, headers: { ...headers, etag: toETag(version) } };
}
