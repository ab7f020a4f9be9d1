import { setTimeout as delay } from 'node:timers/promises';
import { Type } from 'typebox';
import type { Plugin, PluginContext, Statement } from '#plugin-api';

const Amount = Type.Object({ amount: Type.Integer({ minimum: 0, maximum: 100_000 }) }, { additionalProperties: false });
const Done = Type.Object({ done: Type.Integer() });
const options = { roles: ['ops'], response: { 200: Done } } as const;

const findThings: Statement = { name: 'find_things', text: 'select id from thing' };

/** Longer than a tick of the loop's watch, shorter than what it ends a plugin for: busy for 95 of 100. */
function burn(): NodeJS.Timeout {
  const end = performance.now() + 475;
  while (performance.now() < end);
  return setTimeout(burn, 25);
}

export const plugin: Plugin = {
  setup(ctx) {
    registerRequests(ctx);
    registerWork(ctx);
    registerRepeats(ctx);
  },
};

function registerRequests(ctx: PluginContext): void {
  const kept: number[][] = [];
  const post = (path: string, summary: string, act: (amount: number) => unknown): void => {
    ctx.http.post(path, { ...options, summary, body: Amount }, async ({ body }) => {
      await act(body.amount);
      return { status: 200, body: { done: body.amount } };
    });
  };
  // One route for what is slow and what is not: a share of it is slow.
  post('/saboteur/wait', 'Answers after so many milliseconds', (amount) => delay(amount));
  post('/saboteur/fail', 'Fails', () => {
    throw new Error('told to fail');
  });
  // It does not let it be noticed: no request fails.
  post('/saboteur/deny', 'Reaches for what it was not granted', () =>
    fetch('https://evil.example/').catch((error: unknown) => ctx.log.info('refused', { error: String(error) })),
  );
  post('/saboteur/crash', 'Throws where nobody catches', () => {
    setTimeout(() => {
      throw new Error('told to crash');
    });
  });
  post('/saboteur/burn', 'Keeps its event loop busy', () => void burn());
  post('/saboteur/leak', 'Keeps so many times 100 kB', (amount) => {
    for (let count = 0; count < 12 * amount; count += 1) {
      // Small enough to leave no gaps in the heap's pages.
      kept.push(Array.from({ length: 1000 }, (_, index) => index + 0.5));
    }
  });
  post('/saboteur/labels', 'Counts with so many values', (amount) => {
    for (let value = 0; value < amount; value += 1) {
      ctx.metrics.increment('returnit_saboteur_burst_total', { value: String(value) });
    }
  });
  post('/saboteur/things', 'Asks the database so many times', async (amount) => {
    for (let count = 0; count < amount; count += 1) await ctx.db.query(findThings);
  });
}

function registerWork(ctx: PluginContext): void {
  let isHealed = false;
  const waiting = new Set<() => void>();
  const held = (): Promise<void> =>
    isHealed ? Promise.resolve() : new Promise((resolve) => void waiting.add(() => resolve()));
  const post = (path: string, summary: string, act: (amount: number) => Promise<void>): void => {
    ctx.http.post(path, { ...options, summary, body: Amount }, async ({ body }) => {
      await act(body.amount);
      return { status: 200, body: { done: body.amount } };
    });
  };
  const send = async (queue: string, amount: number): Promise<void> => {
    for (let n = 0; n < amount; n += 1) await ctx.jobs.send(queue, { n }, { retryLimit: 0 });
  };
  post('/saboteur/poison', 'Sends so many jobs that fail', (amount) => send('saboteur.poison', amount));
  post('/saboteur/held', 'Sends so many jobs that do not end', (amount) => send('saboteur.held', amount));
  post('/saboteur/events', 'Publishes so many events', async (amount) => {
    for (let n = 0; n < amount; n += 1) await ctx.events.publish('saboteur.happened', { n });
  });
  post('/saboteur/heal', 'Does its work from now on', async () => {
    isHealed = true;
    for (const release of waiting) release();
    waiting.clear();
  });
  ctx.jobs.work('saboteur.poison', async ({ data }) => {
    if (!isHealed) throw new Error(`told to fail at ${JSON.stringify(data)}`);
  });
  ctx.jobs.work('saboteur.held', held, { concurrency: 1 });
  ctx.events.on('saboteur.happened', async () => {
    if (!isHealed) await delay(5000);
  });
}

function registerRepeats(ctx: PluginContext): void {
  let isSpoilt = false;
  ctx.http.post(
    '/saboteur/spoil',
    { ...options, summary: 'Fails at what it repeats: 1, or no longer: 0', body: Amount },
    async ({ body }) => {
      isSpoilt = body.amount === 1;
      return { status: 200, body: { done: body.amount } };
    },
  );
  ctx.repeat('look', { everyMs: 1000 }, async () => {
    if (isSpoilt) throw new Error('told to fail at what it repeats');
  });
}
