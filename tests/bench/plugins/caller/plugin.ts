import type { Plugin } from '#plugin-api';

const Run = {
  type: 'object',
  properties: { calls: { type: 'integer', minimum: 1 }, inFlight: { type: 'integer', minimum: 1 } },
  required: ['calls', 'inFlight'],
  additionalProperties: false,
} as const;
const Result = {
  type: 'object',
  properties: { seconds: { type: 'number' }, p50Us: { type: 'number' }, p99Us: { type: 'number' } },
  required: ['seconds', 'p50Us', 'p99Us'],
} as const;

export const plugin: Plugin = {
  setup(ctx) {
    ctx.http.post(
      '/caller',
      { summary: 'One run', roles: ['ops'], body: Run, response: { 200: Result } },
      async ({ body }) => {
        const { calls, inFlight } = body;
        const latencies = new Float64Array(calls);
        let next = 0;
        async function work(): Promise<void> {
          for (let call = next; call < calls; call = next) {
            next += 1;
            const startedAt = performance.now();
            await ctx.cache.get('nothing');
            latencies[call] = performance.now() - startedAt;
          }
        }
        const startedAt = performance.now();
        await Promise.all(Array.from({ length: inFlight }, work));
        const seconds = (performance.now() - startedAt) / 1000;
        latencies.sort();
        const at = (share: number): number => (latencies[Math.floor(calls * share)] ?? 0) * 1000;
        return { status: 200, body: { seconds, p50Us: at(0.5), p99Us: at(0.99) } };
      },
    );
  },
};
