import { createHash } from 'node:crypto';
import type { MqttMessage } from '#plugin-api';
import type { Rejection } from './fix.ts';

/** A rejected message as it is kept. */
export interface DeadLetter {
  /** The same for the same message, whenever it comes: a UUID. */
  readonly digest: string;
  readonly copies: number;
  readonly receivedAt: string;
  readonly lastReceivedAt: string;
  readonly topic: string;
  readonly username: string | null;
  /** The first bytes, in base64. */
  readonly payload: string;
  /** Of the whole. */
  readonly payloadBytes: number;
  readonly reason: string;
  readonly detail: string;
}

export interface RejectedMessage {
  readonly message: MqttMessage;
  readonly rejection: Rejection;
}

const textCharactersMax = 1000;

/** What a text column of Postgres refuses, and what nobody needs. */
const toColumn = (text: string): string => text.slice(0, textCharactersMax).toWellFormed().replaceAll('\0', '\uFFFD');

/** One letter for each different message, in the order of digests: writers that meet wait for each other, in a row. */
export function toDeadLetters(rejected: readonly RejectedMessage[], payloadMaxBytes: number): readonly DeadLetter[] {
  const letters = new Map<string, DeadLetter>();
  for (const one of rejected) {
    const letter = toDeadLetter(one, payloadMaxBytes);
    const earlier = letters.get(letter.digest);
    if (earlier === undefined) letters.set(letter.digest, letter);
    else letters.set(letter.digest, join(earlier, letter));
  }
  return [...letters.values()].toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
}

function toDeadLetter({ message, rejection }: RejectedMessage, payloadMaxBytes: number): DeadLetter {
  // What the core could not hand over as text comes in base64, and only its beginning.
  const payload = Buffer.from(message.payload, message.refused === undefined ? 'utf8' : 'base64');
  return {
    digest: toDigest(message, payload),
    copies: 1,
    receivedAt: message.receivedAt,
    lastReceivedAt: message.receivedAt,
    topic: toColumn(message.topic),
    username: message.username === null ? null : toColumn(message.username),
    payload: payload.subarray(0, payloadMaxBytes).toString('base64'),
    payloadBytes: message.refused?.payloadBytes ?? payload.length,
    reason: rejection.reason,
    detail: toColumn(rejection.detail),
  };
}

function toDigest({ topic, username }: MqttMessage, payload: Buffer): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([topic, username]))
    .update(payload)
    .digest('hex');
  return hash.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function join(earlier: DeadLetter, later: DeadLetter): DeadLetter {
  return {
    ...later,
    copies: earlier.copies + later.copies,
    receivedAt: earlier.receivedAt < later.receivedAt ? earlier.receivedAt : later.receivedAt,
    lastReceivedAt: earlier.lastReceivedAt > later.lastReceivedAt ? earlier.lastReceivedAt : later.lastReceivedAt,
  };
}
