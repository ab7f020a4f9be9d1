import { AppError } from '#core/errors/app-error.ts';
import { textOf, toFields, toList, type Fields } from './orders-records.ts';
import type { StoryRecords } from './orders-timeline.ts';
import { reasonOf, type RunningCore } from './running-core.ts';

export interface OrderStory extends StoryRecords {
  /** Parts that could not be read, and why: nothing may have happened there, or a lot. */
  readonly unavailable: Readonly<Record<string, string>>;
}

const pageMax = 100;
/** Of each part: an order to which more has happened has another problem. */
const recordsMax = 1000;

/** @throws {AppError} NOT_FOUND when there is no such order */
export async function readStory(core: RunningCore, orderId: string): Promise<OrderStory> {
  const unavailable: Record<string, string> = {};
  const order = toFields(await core.ask<unknown>('GET', `/orders/${orderId}`));
  const reader = createReader(core, unavailable);
  const [payments, offers, assignment, notifications, deliveries] = await Promise.all([
    readPayments(reader, orderId),
    reader.list('offers', `/drivers/offers?orderId=${orderId}`),
    reader.one('assignment', `/drivers/assignments/${orderId}`),
    reader.list('notifications', `/notifications?orderId=${orderId}`),
    reader.list('deliveries', `/webhooks/deliveries?orderId=${orderId}`),
  ]);
  return { order, payments, offers, assignment, notifications, deliveries, unavailable };
}

interface Reader {
  /** Null when there is none, or no plugin that would know. */
  one(part: string, path: string): Promise<Fields | null>;
  /** The records under the part's name, page after page. */
  list(part: string, path: string): Promise<readonly Fields[]>;
}

function createReader(core: RunningCore, unavailable: Record<string, string>): Reader {
  async function one(part: string, path: string): Promise<Fields | null> {
    const answer = await core.request('GET', path);
    if (answer.ok) return answer.body;
    if (![404, 405].includes(answer.status)) unavailable[part] = reasonOf(answer);
    return null;
  }
  return {
    one,
    async list(part, path) {
      const records: Fields[] = [];
      let cursor: string | null = null;
      do {
        const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
        // Not every list takes a limit: the first page is asked for as it comes.
        const page: Fields | null = await one(part, `${path}${cursor === null ? '' : `&limit=${pageMax}`}${query}`);
        records.push(...toList(page, part));
        cursor = page === null ? null : textOf(page, 'nextCursor');
      } while (cursor !== null && records.length < recordsMax);
      return records;
    },
  };
}

/** With what the provider was asked, where the plugin tells. */
async function readPayments(reader: Reader, orderId: string): Promise<readonly Fields[]> {
  const payments = await reader.list('payments', `/payments?orderId=${orderId}`);
  return Promise.all(
    payments.map(async (payment) => {
      const id = textOf(payment, 'paymentId');
      const detail = id === null ? null : await reader.one('payments', `/payments/${encodeURIComponent(id)}`);
      return { ...payment, ...detail };
    }),
  );
}

/** The payment of an order that money can be given back of. @throws {AppError} when it is not clear which */
export async function findRefundable(core: RunningCore, orderId: string): Promise<string> {
  const payments = toList(await core.ask<unknown>('GET', `/payments?orderId=${orderId}`), 'payments');
  const ids = payments.flatMap((payment) => {
    const captured = payment['capturedMinor'];
    return captured === undefined || Number(captured) > 0 ? (textOf(payment, 'paymentId') ?? []) : [];
  });
  const [id] = ids;
  if (id === undefined || ids.length > 1) {
    const what =
      id === undefined ? 'nothing was captured for it' : `it has ${ids.length} payments, name one with --payment`;
    throw new AppError('VALIDATION_FAILED', `Cannot refund order "${orderId}": ${what}`);
  }
  return id;
}
