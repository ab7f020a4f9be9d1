import { Type } from 'typebox';
import type { HttpReply, HttpRequest, PluginContext, Principal, ShareLink } from '#plugin-api';
import { refuse } from './errors.ts';
import { findWatchedOrder } from './store/orders.ts';
import { createShare, listShares, revokeShare } from './store/shares.ts';
import { channelOf, decideSharing } from './visibility.ts';

const closed = { additionalProperties: false } as const;
const instant = Type.String({ format: 'date-time', maxLength: 40 });
const uuid = Type.String({ format: 'uuid' });

/** Links of one order that are open at a time. */
const openMax = 10;
/** Of one caller, of all its orders: each link lets somebody watch who has no account. */
const sharesPerMinute = 120;
const lifeSeconds = { minimum: 60, maximum: 604_800, default: 86_400 } as const;

const OrderParams = Type.Object({ orderId: uuid }, closed);
const ShareParams = Type.Object({ orderId: uuid, shareId: uuid }, closed);
const NewShare = Type.Object(
  { expiresInSeconds: Type.Optional(Type.Integer({ ...lifeSeconds, description: 'A minute to a week' })) },
  closed,
);
const shareFields = {
  shareId: uuid,
  orderId: uuid,
  createdBy: Type.String({ maxLength: 300, description: 'Role and id' }),
  createdAt: instant,
  expiresAt: instant,
  revokedAt: Type.Union([instant, Type.Null()]),
};
const Share = Type.Object(shareFields, closed);
const IssuedShare = Type.Object(
  {
    ...shareFields,
    channel: Type.String({ maxLength: 100, description: 'The live channel that the link opens' }),
    token: Type.String({
      maxLength: 2048,
      description: 'A bearer token for /live; shown once. Whoever has it may watch',
    }),
  },
  closed,
);
const Shares = Type.Object({ shares: Type.Array(Share, { maxItems: 100 }) }, closed);

const roles = ['customer', 'partner', 'ops'] as const;
const count = (ctx: PluginContext, outcome: string): void =>
  ctx.metrics.increment('returnit_tracking_shares_total', { outcome });

/** Links that show one order's driver to who has no account: made, listed and revoked by the order's owner or ops. */
export function registerShareRoutes(ctx: PluginContext): void {
  ctx.http.post(
    '/tracking/orders/{orderId}/shares',
    {
      summary: "Makes a link that shows the order's driver, from 'on the way' to the completion",
      roles,
      params: OrderParams,
      body: NewShare,
      response: { 201: IssuedShare },
      idempotency: 'own',
      requestsPerMinute: sharesPerMinute,
    },
    (request) => share(ctx, request),
  );

  ctx.http.get(
    '/tracking/orders/{orderId}/shares',
    { summary: "The order's share links, newest first", roles, params: OrderParams, response: { 200: Shares } },
    async ({ principal, params: { orderId } }) => {
      const decision = decideSharing(await findWatchedOrder(ctx.db, orderId), principal);
      if (decision === 'hidden') return unknownOrder();
      return { status: 200, body: { shares: await listShares(ctx.db, orderId) } };
    },
  );

  ctx.http.delete(
    '/tracking/orders/{orderId}/shares/{shareId}',
    {
      summary: 'Revokes a share link: who watches by it sees nothing more',
      roles,
      params: ShareParams,
      response: { 200: Share },
    },
    ({ principal, params }) => revoke(ctx, principal, params),
  );
}

async function share(
  ctx: PluginContext,
  request: HttpRequest<{ readonly orderId: string }, unknown, { readonly expiresInSeconds?: number }>,
): Promise<HttpReply> {
  const { principal, params, body } = request;
  const { orderId } = params;
  const { expiresInSeconds = lifeSeconds.default } = body;
  const decision = decideSharing(await findWatchedOrder(ctx.db, orderId), principal);
  if (decision !== 'allowed') count(ctx, 'refused');
  if (decision === 'hidden') return unknownOrder();
  if (decision === 'over') return refuse('ORDER_OVER', 'Cannot share a position: the order is over');
  // The same request again is the same link: the first answer may never have arrived, and who has its key has made it.
  const shareId = request.newId();
  const channel = channelOf(orderId);
  const issue = (seconds: number): Promise<ShareLink> =>
    ctx.live.issueLink(channel, { id: shareId, expiresInSeconds: seconds });
  const created = await createShare(ctx.db, { shareId, orderId, by: principal, openMax, expiresInSeconds, issue });
  if (created === undefined) {
    count(ctx, 'refused');
    return refuse('SHARES_TOO_MANY', `Cannot share a position: ${openMax} links of the order are open; revoke one`);
  }
  const { isRepeated, ...link } = created;
  const reply: HttpReply = { status: 201, body: { ...link, channel } };
  if (isRepeated) return reply;
  count(ctx, 'created');
  ctx.log.info('share link created', {
    orderId,
    shareId,
    by: `${principal.role}:${principal.id}`,
    expiresAt: link.expiresAt,
  });
  return reply;
}

async function revoke(
  ctx: PluginContext,
  principal: Principal,
  { orderId, shareId }: { readonly orderId: string; readonly shareId: string },
): Promise<HttpReply> {
  if (decideSharing(await findWatchedOrder(ctx.db, orderId), principal) === 'hidden') return unknownOrder();
  const revoked = await revokeShare(ctx.db, { shareId, orderId, by: principal });
  if (revoked === undefined) return refuse('SHARE_NOT_FOUND', 'Cannot revoke a share link: the order has no such link');
  // Should this fail, the client asks again: revoking twice is once, and who watches is asked for again in any case.
  await ctx.live.revokeLink(channelOf(orderId), shareId);
  count(ctx, 'revoked');
  ctx.log.info('share link revoked', { orderId, shareId, by: `${principal.role}:${principal.id}` });
  return { status: 200, body: revoked };
}

function unknownOrder(): HttpReply {
  return refuse('POSITION_NOT_FOUND', 'Cannot share a position: no order of yours has this id');
}
