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

interface Topic {
  /** Messages that wait, by lane. */
  prompt: number;
  backlog: number;
  /** Messages that may still be prompt: below 0 for a topic that has sent more, so that it must be quiet first. */
  credit: number;
  creditAtMs: number;
}

interface Entry<T> {
  readonly topic: Topic;
  readonly value: T;
}

/** Of these of which nothing waits is remembered how fast they send; one that is forgotten begins anew. */
const quietMax = 10_000;

/**
 * Messages on their way to a plugin, in two lanes. In each, and over both of one topic, they keep the order of receipt. Which
 * lane a message takes is decided by how fast its topic has sent: a device that comes back with thousands of fixes is in the
 * backlog until it has caught up, and one that reports once a second never waits behind it.
 */
export class FairQueue<T> {
  readonly #options: FairQueueOptions;
  readonly #waiting: Readonly<Record<Lane, Map<IncomingMessage, Entry<T>>>> = { prompt: new Map(), backlog: new Map() };
  readonly #topics = new Map<string, Topic>();
  readonly #quiet = new LRUCache<string, Topic>({ max: quietMax });

  constructor(options: FairQueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.prompt.size + this.#waiting.backlog.size;
  }

  sizeOf(lane: Lane): number {
    return this.#waiting[lane].size;
  }

  add(message: IncomingMessage, value: T): Lane {
    const topic = this.#open(message.topic);
    const isWithinPace = this.#spend(topic);
    // Behind its own earlier ones in any case.
    const lane = isWithinPace && topic.backlog === 0 ? 'prompt' : 'backlog';
    topic[lane] += 1;
    this.#waiting[lane].set(message, { topic, value });
    return lane;
  }

  delete(message: IncomingMessage): boolean {
    for (const lane of lanes) {
      const entry = this.#waiting[lane].get(message);
      if (entry === undefined) continue;
      this.#waiting[lane].delete(message);
      entry.topic[lane] -= 1;
      this.#close(message.topic, entry.topic);
      return true;
    }
    return false;
  }

  /** Of the backlog those alone that have no prompt one before them. */
  *entries(lane: Lane): Generator<[IncomingMessage, T]> {
    for (const [message, { topic, value }] of this.#waiting[lane]) {
      if (lane === 'prompt' || topic.prompt === 0) yield [message, value];
    }
  }

  #open(name: string): Topic {
    const open = this.#topics.get(name);
    if (open !== undefined) return open;
    const { promptBurst: credit, now } = this.#options;
    const topic = this.#quiet.get(name) ?? { prompt: 0, backlog: 0, credit, creditAtMs: now() };
    this.#topics.set(name, topic);
    return topic;
  }

  #close(name: string, topic: Topic): void {
    if (topic.prompt + topic.backlog > 0) return;
    this.#topics.delete(name);
    this.#quiet.set(name, topic);
  }

  #spend(topic: Topic): boolean {
    const { promptPerSecond, promptBurst, now } = this.#options;
    const nowMs = now();
    const earned = (Math.max(0, nowMs - topic.creditAtMs) / 1000) * promptPerSecond;
    const credit = Math.min(promptBurst, topic.credit + earned);
    topic.creditAtMs = nowMs;
    topic.credit = Math.max(-promptBurst, credit - 1);
    return credit >= 1;
  }
}
