import { Pool } from 'undici';

export interface Sample {
  /** Of `performance.now()`: when the request was due. */
  readonly atMs: number;
  readonly latencyMs: number;
}

export interface SteadyLoad {
  /** In the order in which they were due; a request that is under way is not among them yet. */
  readonly samples: readonly Sample[];
  /** What was answered with something else than 200, or not at all. */
  readonly failures: readonly string[];
  /** Waits for what is under way. */
  stop(): Promise<void>;
}

export interface SteadyLoadOptions {
  readonly url: string;
  readonly token: string;
  readonly perSecond: number;
  readonly connections: number;
}

/**
 * Requests at a fixed rate, whether or not earlier ones have been answered. Each is measured from when it was due: a
 * server that stands still for a while delays all requests of that time, not only the one that it was working on.
 */
export function startSteadyLoad(options: SteadyLoadOptions): SteadyLoad {
  const { origin, pathname } = new URL(options.url);
  const pool = new Pool(origin, { connections: options.connections, pipelining: 1 });
  const headers = { authorization: `Bearer ${options.token}` };
  const intervalMs = 1000 / options.perSecond;
  const samples: Sample[] = [];
  const failures: string[] = [];
  const underWay = new Set<Promise<void>>();
  let dueMs = performance.now();

  async function send(atMs: number): Promise<void> {
    try {
      const { statusCode, body } = await pool.request({ method: 'GET', path: pathname, headers });
      const text = await body.text();
      samples.push({ atMs, latencyMs: performance.now() - atMs });
      if (statusCode !== 200) failures.push(`${statusCode} ${text}`);
    } catch (error) {
      failures.push(String(error));
    }
  }

  const timer = setInterval(() => {
    for (; dueMs <= performance.now(); dueMs += intervalMs) {
      const sent = send(dueMs).finally(() => underWay.delete(sent));
      underWay.add(sent);
    }
  }, 1);

  return {
    samples,
    failures,
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
      await pool.close();
    },
  };
}
