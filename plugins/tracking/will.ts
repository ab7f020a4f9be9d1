import { rejected, type Rejection } from './fix.ts';

/** A device's word that it is gone: its last will, or its own farewell. */
export interface Will {
  readonly driverId: string;
  readonly device: string;
  /** When it was gone at the latest. ISO 8601 in UTC with milliseconds. */
  readonly at: string;
}

interface WillSource {
  readonly driverId: string;
  readonly device: string;
  readonly receivedAt: string;
  readonly retained: boolean;
}

type ReadWill = { readonly kind: 'will'; readonly will: Will } | { readonly kind: 'ignored' } | Rejection;

/**
 * OwnTracks' `lwt`: its `tst`, where a phone sends one, is when the connection began, so the time of receipt is the only
 * one that says something of its end. A retained one is of nobody knows when, and says nothing.
 */
export function readOwnTracksWill({ driverId, device, receivedAt, retained }: WillSource): ReadWill {
  return retained ? { kind: 'ignored' } : { kind: 'will', will: { driverId, device, at: receivedAt } };
}

/**
 * Our own: `{"status": "offline"}` on `drivers/{driverId}/status`, as the connection's will, or published by the device
 * before it disconnects, then with `at`. `online` is accepted and says nothing: presence comes from fixes.
 */
export function readStatus(body: Readonly<Record<string, unknown>>, source: WillSource): ReadWill {
  const { driverId, device, receivedAt, retained } = source;
  if (body['status'] === 'online') return { kind: 'ignored' };
  if (body['status'] !== 'offline') return rejected('schema', "'status' must be 'offline' or 'online'");
  const { at } = body;
  if (at === undefined || at === null) return readOwnTracksWill(source);
  const atMs = typeof at === 'number' ? Math.round(at * 1000) : typeof at === 'string' ? Date.parse(at) : Number.NaN;
  if (!(Math.abs(atMs) <= 8.64e15)) {
    return rejected('time_unreadable', "'at' must be ISO 8601 with a zone, or seconds since 1970");
  }
  // A clock that goes ahead must not announce an absence that is still to come.
  const earlierMs = Math.min(atMs, Date.parse(receivedAt));
  return retained && earlierMs !== atMs
    ? { kind: 'ignored' }
    : { kind: 'will', will: { driverId, device, at: new Date(earlierMs).toISOString() } };
}
