import { LRUCache } from 'lru-cache';
import type { IncomingMessage } from './incoming-message.ts';

/** `prompt`: of a device that reports now and then. `backlog`: of one that sends more than that, such as a kept queue. */
export const lanes = ['prompt', 'backlog'] as const;
export type Lane = (typeof lanes)[number];

export interface FairQueueOptions {
  /** Messages a second of one topic that are prompt. */
  readonly promptPerSecond: number;
  /** And as many at once. */
  readonly promptBurst: number;
  readonly now: () => number;
}

interface Pace {
  /** Messages that may still be prompt: below 0 for a topic that has sent more, so that it must be quiet first. */
  credit: number;
  atMs: number;
}

/** Of these is remembered how fast they send; one that is forgotten begins anew. */
const topicsMax = 10_000;

/**
 * Messages on their way to a plugin, in two lanes. In each, and over both of one topic, they keep the order of receipt. Which
 * lane a message takes is decided by how fast its topic has sent: a device that comes back with thousands of fixes is in the
 * backlog until it has caught up, and one that reports once a second never waits behind it.
 */
export class FairQueue<T> {
  readonly #options: FairQueueOptions;
  readonly #waiting: Readonly<Record<Lane, Map<IncomingMessage, T>>> = { prompt: new Map(), backlog: new Map() };
  readonly #topics = new Map<string, Record<Lane, number>>();
  readonly #paces = new LRUCache<string, Pace>({ max: topicsMax });

  constructor(options: FairQueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.prompt.size + this.#waiting.backlog.size;
  }

  sizeOf(lane: Lane): number {
    return this.#waiting[lane].size;
  }

  laneOf(message: IncomingMessage): Lane {
    return this.#waiting.prompt.has(message) ? 'prompt' : 'backlog';
  }

  add(message: IncomingMessage, value: T): Lane {
    const { topic } = message;
    let counts = this.#topics.get(topic);
    if (counts === undefined) this.#topics.set(topic, (counts = { prompt: 0, backlog: 0 }));
    const isWithinPace = this.#spend(topic);
    // Behind its own earlier ones in any case.
    const lane = isWithinPace && counts.backlog === 0 ? 'prompt' : 'backlog';
    counts[lane] += 1;
    this.#waiting[lane].set(message, value);
    return lane;
  }

  delete(message: IncomingMessage): boolean {
    const lane = this.laneOf(message);
    if (!this.#waiting[lane].delete(message)) return false;
    const counts = this.#topics.get(message.topic);
    if (counts === undefined) return true;
    counts[lane] -= 1;
    if (counts.prompt + counts.backlog === 0) this.#topics.delete(message.topic);
    return true;
  }

  /** Of the backlog those alone that have no prompt one before them. */
  *entries(lane: Lane): Generator<[IncomingMessage, T]> {
    for (const entry of this.#waiting[lane]) {
      if (lane === 'prompt' || this.#topics.get(entry[0].topic)?.prompt === 0) yield entry;
    }
  }

  #spend(topic: string): boolean {
    const { promptPerSecond, promptBurst, now } = this.#options;
    const nowMs = now();
    let pace = this.#paces.get(topic);
    if (pace === undefined) this.#paces.set(topic, (pace = { credit: promptBurst, atMs: nowMs }));
    const earned = (Math.max(0, nowMs - pace.atMs) / 1000) * promptPerSecond;
    const credit = Math.min(promptBurst, pace.credit + earned);
    pace.atMs = nowMs;
    pace.credit = Math.max(-promptBurst, credit - 1);
    return credit >= 1;
  }
}
