import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { handlerTrace } from '#core/telemetry/handler-trace.ts';
import {
  currentTraceparent,
  startTracing,
  withSpan,
  type Tracing,
  type TracingOptions,
} from '#core/telemetry/tracing.ts';
import { requestSpan } from '../../support/request-span.ts';

const base = { otlpEndpoint: null, version: '0', environment: 'test', region: 'test' };

async function trace<T>(options: Partial<TracingOptions>, work: (tracing: Tracing) => Promise<T>): Promise<T> {
  const tracing = await startTracing({ ...base, tracesKept: 100, tracesTailKept: 100, ...options });
  try {
    return await work(tracing);
  } finally {
    await tracing.stop();
  }
}

const namesOf = (tracing: Tracing): string[] => tracing.recentSpans().map(({ name }) => name);

/** The counts that are not 0, as `outcome reason`. */
function countsOf(tracing: Tracing): Readonly<Record<string, number>> {
  const counted = tracing.counts().filter(({ total }) => total > 0);
  return Object.fromEntries(counted.map(({ outcome, reason, total }) => [`${outcome} ${reason}`, total]));
}

const request = (name: string, work: () => Promise<void>, seconds = 0.01): Promise<void> =>
  requestSpan(name, seconds * 1000, work);
const child = (name: string): Promise<void> => withSpan(name, {}, () => undefined);
const failing = (): Promise<void> => Promise.reject(new Error('no'));

describe('TRACES_SAMPLE_RATIO', () => {
  it('0 keeps of requests and jobs what failed or was slow, with all of their spans', () =>
    trace({ tracesSampleRatio: 0, tracesSlowMs: 20 }, async (tracing) => {
      await request('quick', () => child('quick.child'));
      await assert.rejects(request('failed', () => child('failed.child').then(failing)));
      // It answers well, and what it asked for failed.
      await request('half', async () => {
        await assert.rejects(withSpan('half.child', {}, failing));
      });
      await request('slow', () => child('slow.child'), 0.021);
      const expected = ['failed.child', 'failed', 'half.child', 'half', 'slow.child', 'slow'];
      assert.deepEqual(namesOf(tracing), expected);
      const reasons = tracing.recentSpans().map(({ attributes }) => attributes['returnit.kept']);
      assert.deepEqual(reasons, [undefined, 'failed', undefined, 'failed', undefined, 'slow']);
      assert.deepEqual(countsOf(tracing), { 'kept failed': 4, 'kept slow': 2, 'dropped unsampled': 2 });
    }));

  it('looks at how long a span took, and of an answer in pieces at how long the first piece took', () =>
    trace({ tracesSampleRatio: 0, tracesSlowMs: 20 }, async (tracing) => {
      const work = (): void => {
        const beganAt = performance.now();
        while (performance.now() - beganAt < 25);
      };
      await withSpan('job', { kind: 'consumer' }, work);
      await requestSpan('stream', 1, work);
      assert.deepEqual(countsOf(tracing), { 'kept slow': 1, 'dropped unsampled': 1 });
    }));

  it('decides by the trace id, so that every node and every day decides the same', () =>
    trace({ tracesSampleRatio: 0.25, tracesSlowMs: 60_000 }, async (tracing) => {
      const parents = Array.from({ length: 64 }, (_, index) => {
        const random = ((index * 4) % 256).toString(16).padStart(2, '0');
        return `00-${'a'.repeat(18)}${random}${'7'.repeat(12)}-${'b'.repeat(16)}-00`;
      });
      for (const parent of parents) {
        await withSpan(parent, { kind: 'consumer', parent }, () => undefined);
        await withSpan(parent, { kind: 'server', parent }, () => undefined);
      }
      // The upper quarter, as W3C Trace Context, level 2, has it.
      const kept = parents.filter((parent) => Number.parseInt(parent.slice(21, 23), 16) >= 192);
      assert.deepEqual(new Set(namesOf(tracing)), new Set(kept));
      assert.deepEqual(countsOf(tracing), { 'kept sampled': 32, 'dropped unsampled': 96 });
    }));

  it('keeps what comes after a failure in the same trace', () =>
    trace({ tracesSampleRatio: 0 }, async (tracing) => {
      let parent: string | undefined;
      await assert.rejects(
        withSpan('failed', { kind: 'server' }, () => {
          parent = currentTraceparent();
          return failing();
        }),
      );
      await withSpan('next', { kind: 'consumer', ...(parent === undefined ? {} : { parent }) }, () => undefined);
      assert.deepEqual(namesOf(tracing), ['failed', 'next']);
      assert.deepEqual(countsOf(tracing), { 'kept failed': 1, 'kept followed': 1 });
    }));

  it('counts calls that come with a traceparent, also late ones, to the request that they are of', () =>
    trace({ tracesSampleRatio: 0 }, async (tracing) => {
      let parent = '';
      await assert.rejects(
        withSpan('failed', { kind: 'server' }, async () => {
          parent = handlerTrace()?.traceparent ?? '';
          await withSpan('call', { parent }, () => undefined);
          await failing();
        }),
      );
      await withSpan('late', { parent }, () => undefined);
      assert.deepEqual(namesOf(tracing), ['call', 'failed', 'late']);
      assert.deepEqual(countsOf(tracing), { 'kept failed': 3 });
    }));

  it('holds no more than TRACES_HELD_MAX, and says so', () =>
    trace({ tracesSampleRatio: 0, tracesHeldMax: 5 }, async (tracing) => {
      const many = async (): Promise<void> => {
        for (let index = 0; index < 20; index += 1) await child('child');
        await failing();
      };
      await assert.rejects(request('failed', many));
      assert.deepEqual(countsOf(tracing), { 'kept failed': 6, 'dropped buffer_full': 15 });
      // What was held is free again.
      await assert.rejects(request('failed', many));
      assert.deepEqual(countsOf(tracing), { 'kept failed': 12, 'dropped buffer_full': 30 });
    }));
});

describe('TRACES_TAIL_KEPT', () => {
  it('keeps failed requests in memory when many others have come since', () =>
    trace({ tracesKept: 10 }, async (tracing) => {
      await assert.rejects(request('failed', () => child('failed.child').then(failing)));
      for (let index = 0; index < 50; index += 1) await request('quick', () => child('quick.child'));
      assert.deepEqual(namesOf(tracing).slice(0, 3), ['failed.child', 'failed', 'quick.child']);
      assert.equal(namesOf(tracing).length, 12);
      assert.deepEqual(countsOf(tracing), { 'kept sampled': 102 });
    }));
});

describe('handlerTrace()', () => {
  const story = `00-${'c'.repeat(32)}-${'d'.repeat(16)}-00`;

  it('carries on another trace under a span in it, and links the two', () =>
    trace({}, async (tracing) => {
      await withSpan('POST /step', { kind: 'server' }, async () => {
        const handler = handlerTrace();
        assert.ok(handler !== undefined);
        assert.equal(handler.continue(handler.traceparent), handler.traceparent, 'its own');
        assert.equal(handler.continue('nonsense'), handler.traceparent);
        await withSpan('own', { parent: handler.traceparent }, () => undefined);
        for (const name of ['first', 'second']) {
          await withSpan(name, { parent: handler.continue(story) }, () => undefined);
        }
        handler.end(null);
      });
      const spans = tracing.recentSpans();
      const [own, first, second, continued, server] = spans;
      assert.deepEqual(
        spans.map(({ name, kind }) => `${kind} ${name}`),
        ['internal own', 'internal first', 'internal second', 'internal POST /step', 'server POST /step'],
      );
      assert.deepEqual([continued?.traceId, continued?.parentSpanId], ['c'.repeat(32), 'd'.repeat(16)]);
      for (const step of [first, second])
        assert.deepEqual([step?.traceId, step?.parentSpanId], ['c'.repeat(32), continued?.spanId]);
      assert.deepEqual([own?.traceId, own?.parentSpanId], [server?.traceId, server?.spanId]);
      assert.deepEqual(continued?.links, [{ traceId: server?.traceId, spanId: server?.spanId }]);
      assert.deepEqual(server?.links, [{ traceId: continued?.traceId, spanId: continued?.spanId }]);
    }));

  it('keeps both traces of a request that fails, whatever the ratio', () =>
    trace({ tracesSampleRatio: 0 }, async (tracing) => {
      const work = async (): Promise<void> => {
        const handler = handlerTrace();
        await withSpan('in the story', { parent: handler?.continue(story) ?? '' }, () => undefined);
        const error = new Error('no');
        handler?.end({ error });
        throw error;
      };
      await assert.rejects(request('POST /step', work));
      const spans = tracing.recentSpans().map(({ name, status }) => `${name} ${status}`);
      assert.deepEqual(spans, ['in the story unset', 'POST /step error', 'POST /step error']);
      assert.deepEqual(countsOf(tracing), { 'kept failed': 3 });
      // And what follows in the story.
      await withSpan('event', { kind: 'consumer', parent: story }, () => undefined);
      assert.equal(countsOf(tracing)['kept followed'], 1);
    }));
});
