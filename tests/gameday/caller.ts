import { setTimeout as delay } from 'node:timers/promises';

/** Calls that a fault is made of: their answers are statuses, of which no one is wrong. */
export interface Caller {
  get(path: string): Promise<number>;
  post(path: string, body: object): Promise<number>;
  /** Makes a call again and again until it is told to stop. */
  keep(call: (count: number) => Promise<unknown>, pace: Pace): Load;
}

export interface Pace {
  /** At most, all callers together. */
  readonly perSecond: number;
  /** That wait for an answer at the same time. @default 8 */
  readonly callers?: number;
}

export interface Load {
  readonly count: number;
  /** Resolves when the last one was answered. */
  stop(): Promise<void>;
}

const timeoutMs = 60_000;

export function createCaller(url: string, token: string): Caller {
  async function call(path: string, init: RequestInit): Promise<number> {
    const response = await fetch(`${url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(timeoutMs),
    }).catch(() => undefined); // It is what some faults do to a connection.
    await response?.arrayBuffer().catch(() => undefined);
    return response?.status ?? 0;
  }

  return {
    get: (path) => call(path, {}),
    post: (path, body) => call(path, { method: 'POST', body: JSON.stringify(body) }),
    keep(make, { perSecond, callers = 8 }) {
      const startMs = performance.now();
      let count = 0;
      let isStopped = false;
      async function run(): Promise<void> {
        while (!isStopped) {
          const number = count;
          count += 1;
          const waitMs = startMs + (number * 1000) / perSecond - performance.now();
          if (waitMs > 0) await delay(waitMs);
          if (!isStopped) await make(number);
        }
      }
      const running = Promise.all(Array.from({ length: callers }, run));
      // Whoever stops it hears of it.
      running.catch(() => undefined);
      return {
        get count() {
          return count;
        },
        async stop() {
          isStopped = true;
          await running;
        },
      };
    },
  };
}
