import { Type } from 'typebox';
import type { HttpReply, PluginContext } from '#plugin-api';
import { toText, type ReplayDeadLetter } from './dead-letter-replay.ts';
import { refuse } from './errors.ts';
import { deleteDeadLetter, findDeadLetter, listDeadLetters } from './store/dead-letters.ts';

const closed = { additionalProperties: false } as const;
const roles = ['ops'] as const;
const instant = Type.String({ format: 'date-time', maxLength: 40 });
/** Fewer digits than a bigint has: what does not fit is no id. */
const LetterId = Type.String({ pattern: '^[1-9][0-9]{0,17}$' });
const Params = Type.Object({ id: LetterId }, closed);
const ListQuery = Type.Object(
  {
    reason: Type.Optional(Type.String({ pattern: '^[a-z_]{1,40}$' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
    before: Type.Optional(LetterId),
  },
  closed,
);
const members = {
  id: LetterId,
  receivedAt: instant,
  lastReceivedAt: instant,
  copies: Type.Integer({ description: 'How often the same message came' }),
  topic: Type.String({ maxLength: 1000 }),
  username: Type.Union([Type.String({ maxLength: 1000 }), Type.Null()]),
  reason: Type.String({ maxLength: 40 }),
  detail: Type.String({ maxLength: 1000 }),
  payloadBytes: Type.Integer({ description: 'Of the whole payload' }),
  replays: Type.Integer({ description: 'Replays in vain' }),
  replayedAt: Type.Union([instant, Type.Null()]),
};
const Page = Type.Object(
  { letters: Type.Array(Type.Object(members, closed), { maxItems: 100 }), next: Type.Union([LetterId, Type.Null()]) },
  closed,
);
const Letter = Type.Object(
  {
    ...members,
    payload: Type.String({ maxLength: 1_500_000 }),
    encoding: Type.Enum(['utf-8', 'base64']),
    truncated: Type.Boolean({ description: 'More was sent than is kept: it cannot be replayed' }),
  },
  closed,
);
const Replayed = Type.Object(
  {
    id: LetterId,
    outcome: Type.Enum(['accepted', 'ignored', 'rejected']),
    reason: Type.Union([Type.String({ maxLength: 40 }), Type.Null()]),
    detail: Type.Union([Type.String({ maxLength: 1000 }), Type.Null()]),
  },
  closed,
);
const Dropped = Type.Object({ id: LetterId }, closed);

const notFound = (id: string): HttpReply => refuse('DEAD_LETTER_NOT_FOUND', `There is no dead letter ${id}`);

/** Rejected messages, for ops alone: they hold positions. */
export function registerDeadLetterRoutes(ctx: PluginContext, replay: ReplayDeadLetter): void {
  ctx.http.get(
    '/tracking/dead-letters',
    { summary: 'Rejected messages, newest first', roles, query: ListQuery, response: { 200: Page } },
    async ({ query: { reason = null, before = null, limit = 20 } }) => {
      const rows = await listDeadLetters(ctx.db, { reason, before, limit: limit + 1 });
      const letters = rows.slice(0, limit);
      return { status: 200, body: { letters, next: rows.length > limit ? (letters.at(-1)?.id ?? null) : null } };
    },
  );

  ctx.http.get(
    '/tracking/dead-letters/{id}',
    { summary: 'A rejected message with its payload', roles, params: Params, response: { 200: Letter } },
    async ({ params: { id } }) => {
      const letter = await findDeadLetter(ctx.db, id);
      if (letter === undefined) return notFound(id);
      const bytes = Buffer.from(letter.payload, 'base64');
      const truncated = bytes.length < letter.payloadBytes;
      const text = toText(bytes);
      const shown =
        text === undefined ? { encoding: 'base64', payload: letter.payload } : { encoding: 'utf-8', payload: text };
      return { status: 200, body: { ...letter, ...shown, truncated } };
    },
  );

  ctx.http.post(
    '/tracking/dead-letters/{id}/replay',
    {
      summary: 'Takes a rejected message again, as of its receipt; one that is taken is removed',
      roles,
      params: Params,
      response: { 200: Replayed },
    },
    async ({ params: { id } }) => {
      const outcome = await replay(id);
      if (outcome === undefined) return notFound(id);
      const { reason, detail } = outcome.kind === 'rejected' ? outcome : { reason: null, detail: null };
      return { status: 200, body: { id, outcome: outcome.kind, reason, detail } };
    },
  );

  ctx.http.delete(
    '/tracking/dead-letters/{id}',
    { summary: 'Removes a rejected message', roles, params: Params, response: { 200: Dropped } },
    async ({ params: { id } }) => {
      if (!(await deleteDeadLetter(ctx.db, id))) return notFound(id);
      ctx.metrics.increment('returnit_tracking_dead_letters_total', { outcome: 'removed' });
      return { status: 200, body: { id } };
    },
  );
}
