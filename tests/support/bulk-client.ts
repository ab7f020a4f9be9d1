/** Sends many bookings in one request and reads the answers meanwhile. */
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { bookingAt, placeOf } from './journey.ts';

/** So many that none has more orders than an area has places in a window. */
const places = 30;

/** Bookings of a partner. */
export function toOrders(count: number): object[] {
  return Array.from({ length: count }, (_, index) => ({
    ...bookingAt(placeOf(index % places)),
    customerId: `customer-${index % 50}`,
    reference: `bulk-${index}`,
  }));
}

export interface BulkVerdict {
  readonly line: number;
  readonly status: 'created' | 'repeated' | 'rejected';
  readonly reference?: string;
  readonly orderId?: string;
  readonly problem?: { readonly code: string; readonly detail?: string };
}

export interface BulkRequest {
  readonly url: string;
  readonly token: string;
  readonly orders: Iterable<object>;
  readonly onVerdict?: (verdict: BulkVerdict, count: number) => void;
}

export interface BulkAnswer {
  readonly verdicts: readonly BulkVerdict[];
  /** The answer ended as it should; otherwise what had come until it was cut off. */
  readonly isComplete: boolean;
}

export async function sendBulk({ url, token, orders, onVerdict }: BulkRequest): Promise<BulkAnswer> {
  const sent = request(`${url}/orders/bulk`, {
    method: 'POST',
    agent: false,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' },
  });
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
  const lines = Readable.from(toLines(orders));
  // Where the server goes away, the answer tells.
  const sending = pipeline(lines, sent).catch(() => undefined);
  const verdicts: BulkVerdict[] = [];
  try {
    const [answer] = await answered;
    if (answer.statusCode !== 200) throw new Error(`POST /orders/bulk answered ${answer.statusCode}`);
    for await (const line of createInterface({ input: answer })) {
      const verdict = JSON.parse(line) as BulkVerdict;
      verdicts.push(verdict);
      onVerdict?.(verdict, verdicts.length);
    }
    return { verdicts, isComplete: answer.complete };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    return { verdicts, isComplete: false };
  } finally {
    sent.destroy();
    await sending;
  }
}

function* toLines(orders: Iterable<object>): Generator<string> {
  for (const order of orders) yield `${JSON.stringify(order)}\n`;
}
