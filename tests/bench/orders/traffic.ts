import { Pool } from 'undici';
import type { Rig } from '../../support/ingest/rig.ts';
import { bookingNear } from './scene.ts';

/** What people do, by how often of a hundred. */
const mix = { book: 10, cancel: 5, read: 60, list: 15, payment: 10 } as const;
type Kind = keyof typeof mix;
const sequence = Object.entries(mix).flatMap(([kind, share]) => Array<Kind>(share).fill(kind as Kind));
const customers = 50;
const connections = 64;

export interface Traffic {
  /** Sorted, from when a request was due. */
  readonly latenciesMs: Readonly<Record<Kind, readonly number[]>>;
  readonly failures: readonly string[];
  /** Answered with a status that asks to come again: there was more than the platform could take. */
  readonly turnedAway: number;
  /** Until the last answer. */
  readonly answeredPerSecond: number;
}

export interface Rate {
  readonly perSecond: number;
  readonly seconds: number;
}

export interface Client {
  /** The order's id. */
  book(index: number): Promise<string>;
  /** Requests of the mix at a fixed rate, whether or not earlier ones have been answered. */
  run(rate: Rate): Promise<Traffic>;
  stop(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

const turnsAway: ReadonlySet<number> = new Set([429, 503]);
class TurnedAway extends Error {}

export async function createClient({ core }: Rig): Promise<Client> {
  const pool = new Pool(core.addresses.api, { connections, pipelining: 1 });
  const tokens = await Promise.all(
    Array.from({ length: customers }, async (_, index) => (await core.as('customer', `customer-${index}`)).token ?? ''),
  );
  const booked: { readonly orderId: string; readonly customer: number }[] = [];
  let nextIndex = 0;

  async function send(customer: number, method: 'GET' | 'POST', path: string, body?: object): Promise<Answer> {
    const answer = await pool.request({
      method,
      path,
      headers: {
        authorization: `Bearer ${tokens[customer] ?? ''}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  }

  async function book(index: number): Promise<string> {
    const customer = index % customers;
    const { status, text } = await send(customer, 'POST', '/orders', bookingNear(index));
    if (turnsAway.has(status)) throw new TurnedAway(`POST /orders answered ${status}`);
    if (status !== 201) throw new Error(`POST /orders answered ${status}: ${text}`);
    const { orderId } = JSON.parse(text) as { readonly orderId: string };
    booked.push({ orderId, customer });
    return orderId;
  }

  /** One that this client has booked, the newest ones most. */
  function some(index: number): { readonly orderId: string; readonly customer: number } {
    const order = booked[booked.length - 1 - ((index * 7919) % Math.min(booked.length, 1000))];
    if (order === undefined) throw new Error('Cannot read an order: none is booked');
    return order;
  }

  async function once(kind: Kind, index: number): Promise<void> {
    if (kind === 'book') return void (await book((nextIndex += 1)));
    const { orderId, customer } = some(index);
    const { status, text } = await {
      cancel: () => send(customer, 'POST', `/orders/${orderId}/cancel`, {}),
      read: () => send(customer, 'GET', `/orders/${orderId}`),
      list: () => send(customer, 'GET', '/orders?limit=20'),
      payment: () => send(customer, 'GET', `/payments?orderId=${orderId}`),
    }[kind]();
    // An order that was just booked has no payment yet; one that is under way is not to be cancelled.
    if (turnsAway.has(status)) throw new TurnedAway(`${kind} answered ${status}`);
    const expected = { cancel: [200, 409], read: [200], list: [200], payment: [200, 404] }[kind];
    if (!expected.includes(status)) throw new Error(`${kind} answered ${status}: ${text}`);
  }

  return {
    book,
    async run({ perSecond, seconds }) {
      const latenciesMs: Record<Kind, number[]> = { book: [], cancel: [], read: [], list: [], payment: [] };
      const failures: string[] = [];
      let turnedAway = 0;
      const underWay = new Set<Promise<void>>();
      const total = Math.round(perSecond * seconds);
      const beganMs = performance.now();
      let sent = 0;
      const { promise: done, resolve } = Promise.withResolvers<void>();
      const timer = setInterval(() => {
        const due = Math.min(total, Math.floor(((performance.now() - beganMs) * perSecond) / 1000));
        for (; sent < due; sent += 1) {
          const kind = sequence[(sent * 37) % sequence.length] ?? 'read';
          const dueMs = beganMs + (sent * 1000) / perSecond;
          const request = once(kind, sent)
            .then(() => void latenciesMs[kind].push(performance.now() - dueMs))
            .catch((error: unknown) => {
              if (error instanceof TurnedAway) turnedAway += 1;
              else failures.push(String(error));
            })
            .finally(() => underWay.delete(request));
          underWay.add(request);
        }
        if (sent >= total) resolve();
      }, 1);
      await done;
      clearInterval(timer);
      await Promise.all(underWay);
      const answeredPerSecond = (total - turnedAway) / ((performance.now() - beganMs) / 1000);
      for (const latencies of Object.values(latenciesMs)) latencies.sort((a, b) => a - b);
      return { latenciesMs, failures, turnedAway, answeredPerSecond };
    },
    stop: () => pool.close(),
  };
}
