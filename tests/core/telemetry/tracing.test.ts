import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { handlerTrace } from '#core/telemetry/handler-trace.ts';
import { createMetrics } from '#core/telemetry/metrics.ts';
import { toTraceSummaries, toTraceTree } from '#core/telemetry/trace-tree.ts';
import { parseTraceparent } from '#core/telemetry/traceparent.ts';
import {
  currentTraceparent,
  inSpan,
  startTracing,
  withSpan,
  withTraceparent,
  type Tracing,
} from '#core/telemetry/tracing.ts';

const options = { otlpEndpoint: null, tracesKept: 100, version: '0', environment: 'test', region: 'test' };
const remote = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';

describe('withSpan()', () => {
  let tracing: Tracing;
  beforeEach(async () => {
    tracing = await startTracing(options);
  });
  afterEach(() => tracing.stop());

  it('keeps parentage across asynchronous steps that overlap', async () => {
    const task = (name: string): Promise<void> =>
      withSpan(name, { kind: 'server' }, async () => {
        await new Promise((resolve) => setImmediate(resolve));
        await withSpan(`${name}.child`, { kind: 'client' }, async () => {
          await Promise.resolve();
        });
      });
    await Promise.all([task('a'), task('b')]);
    const spans = tracing.recentSpans();
    for (const name of ['a', 'b']) {
      const parent = spans.find((span) => span.name === name);
      const child = spans.find((span) => span.name === `${name}.child`);
      assert.equal(child?.parentSpanId, parent?.spanId);
      assert.equal(child?.traceId, parent?.traceId);
      assert.deepEqual([parent?.kind, child?.kind], ['server', 'client']);
    }
    assert.equal(new Set(spans.map((span) => span.traceId)).size, 2);
  });

  it('continues the trace of a traceparent, whatever its flags, and begins a new one for a bad one', async () => {
    await withSpan('continued', { parent: remote }, () => {
      assert.match(currentTraceparent() ?? '', /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    });
    await withSpan('new', { parent: 'nonsense' }, () => undefined);
    const [continued, fresh] = tracing.recentSpans();
    assert.deepEqual(
      [continued?.traceId, continued?.parentSpanId],
      ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'],
    );
    assert.notEqual(fresh?.traceId, continued?.traceId);
    assert.equal(fresh?.parentSpanId, undefined);
  });

  it("links to a device's trace without continuing it, and leaves out what is no traceparent", async () => {
    await withSpan('batch', { kind: 'consumer', links: [remote, 'nonsense'] }, () => undefined);
    const [span] = tracing.recentSpans();
    assert.deepEqual(span?.links, [{ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }]);
    assert.notEqual(span?.traceId, '0af7651916cd43dd8448eb211c80319c');
  });

  it('records what is thrown, without secrets, and throws it on', async () => {
    const error = Object.assign(new Error('no postgres://a:secret@b'), { code: 'DATABASE_ERROR' });
    await assert.rejects(
      withSpan('fails', {}, () => Promise.reject(error)),
      (thrown) => thrown === error,
    );
    const [span] = tracing.recentSpans();
    assert.deepEqual([span?.status, span?.statusMessage], ['error', 'no postgres://[redacted]@b']);
    assert.equal(span?.attributes['error.type'], 'DATABASE_ERROR');
    assert.equal(span?.events[0]?.name, 'exception');
    assert.doesNotMatch(JSON.stringify(span), /secret@/);
  });

  it('does not change the attributes of the caller', async () => {
    const attributes = { 'plugin.name': 'orders' };
    await withSpan('a', { attributes }, (span) => void span.setAttribute('rows', 1));
    assert.deepEqual(attributes, { 'plugin.name': 'orders' });
    assert.deepEqual(tracing.recentSpans()[0]?.attributes, { 'plugin.name': 'orders', rows: 1 });
  });

  it('has an immediate span active while its function runs, also around others, and no longer', async () => {
    const active = (): string | undefined => currentTraceparent()?.split('-')[2];
    const seen: (string | undefined)[] = [];
    let later: Promise<void> | undefined;
    const seconds: number[] = [];
    const immediate = { immediate: true, measured: (_: unknown, took: number) => void seconds.push(took) };
    await withSpan('outer', {}, async (outer) => {
      inSpan('immediate', immediate, (span) => {
        seen.push(active(), span.spanContext().spanId);
        inSpan('nested', {}, (nested) => {
          seen.push(active(), nested.spanContext().spanId);
          later = Promise.resolve().then(() => void seen.push(active(), nested.spanContext().spanId));
        });
        seen.push(active(), span.spanContext().spanId);
      });
      await later;
      seen.push(active(), outer.spanContext().spanId);
      assert.throws(
        () =>
          inSpan('failing', immediate, () => {
            throw new RangeError('no');
          }),
        /no/,
      );
      seen.push(active(), outer.spanContext().spanId);
    });
    for (let index = 0; index < seen.length; index += 2) assert.equal(seen[index], seen[index + 1], `at ${index}`);
    const spans = tracing.recentSpans();
    const idOf = (name: string): string | undefined => spans.find((span) => span.name === name)?.spanId;
    assert.equal(spans.find(({ name }) => name === 'nested')?.parentSpanId, idOf('immediate'));
    assert.equal(spans.find(({ name }) => name === 'immediate')?.parentSpanId, idOf('outer'));
    assert.equal(seconds.length, 2);
    const measuredMs = spans.find(({ name }) => name === 'immediate')?.durationMs ?? 0;
    assert.ok(Math.abs(measuredMs - (seconds[0] ?? 0) * 1000) < 0.01, 'span and metric tell the same');
  });

  it('has no active span outside', () => {
    assert.equal(currentTraceparent(), undefined);
  });

  it('runs in the trace of a traceparent with withTraceparent()', async () => {
    await withTraceparent(remote, () => withSpan('inner', {}, () => undefined));
    withTraceparent('nonsense', () => assert.equal(currentTraceparent(), undefined));
    assert.equal(tracing.recentSpans()[0]?.parentSpanId, 'b7ad6b7169203331');
  });
});

describe('startTracing()', () => {
  it('is shared by the cores of one process until the last of them stops', async () => {
    const first = await startTracing(options);
    const second = await startTracing(options);
    await first.stop();
    await first.stop();
    await withSpan('still', {}, () => undefined);
    assert.equal(second.recentSpans().length, 1);
    await second.stop();
    await withSpan('gone', {}, (span) => assert.equal(span.isRecording(), false));
    assert.equal(second.recentSpans().length, 1);
  });
});

describe('traces without spans', () => {
  it('go on from span to span, to other traces and past failures, and leave no exemplar', async () => {
    const tracing = await startTracing({ ...options, tracesKept: 0, tracesTailKept: 0 });
    const metrics = createMetrics({ labelSetsMax: 10 });
    await assert.rejects(
      withSpan('request', { kind: 'server', parent: remote }, async () => {
        const own = currentTraceparent() ?? '';
        assert.match(own, /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/);
        const handler = handlerTrace();
        const other = `00-${'4'.repeat(32)}-${'5'.repeat(16)}-01`;
        assert.match(handler?.continue(other) ?? '', /^00-4{32}-[0-9a-f]{16}-00$/);
        handler?.end(null);
        await withSpan('inner', { parent: own }, () => {
          assert.equal(currentTraceparent()?.split('-')[1], own.split('-')[1]);
          metrics.histogram('http_server_request_duration_seconds').observe({}, 0.1);
        });
        throw new Error('no');
      }),
    );
    assert.deepEqual(tracing.recentSpans(), []);
    assert.ok(tracing.counts().every(({ total }) => total === 0));
    assert.doesNotMatch((await metrics.render('application/openmetrics-text')).body, / # \{/);
    await tracing.stop();
  });
});

describe('parseTraceparent()', () => {
  it('takes what W3C takes and nothing else', () => {
    const [, traceId, spanId] = remote.split('-');
    assert.deepEqual(parseTraceparent(remote), { traceId, spanId, traceFlags: 1, isRemote: true });
    assert.ok(parseTraceparent(`01-${traceId}-${spanId}-01-more`));
    const zeros = '0'.repeat(32);
    for (const bad of [
      '',
      `${remote}-more`,
      remote.toUpperCase(),
      `ff-${traceId}-${spanId}-01`,
      `00-${zeros}-${spanId}-01`,
      `00-${traceId}-${zeros.slice(16)}-01`,
    ]) {
      assert.equal(parseTraceparent(bad), undefined, bad);
    }
  });
});

describe('toTraceTree()', () => {
  it('puts each parent before its children, and sums a trace up', async () => {
    const tracing = await startTracing(options);
    await withSpan('root', {}, async () => {
      await withSpan('first', {}, () => withSpan('leaf', {}, () => undefined));
      await withSpan('second', {}, () => undefined);
    });
    const spans = tracing.recentSpans(tracing.recentSpans()[0]?.traceId);
    await tracing.stop();
    assert.deepEqual(
      toTraceTree(spans).map(({ name, depth }) => [name, depth]),
      [
        ['root', 0],
        ['first', 1],
        ['leaf', 2],
        ['second', 1],
      ],
    );
    const [summary] = toTraceSummaries(spans, 10);
    assert.deepEqual([summary?.name, summary?.spans, summary?.errors], ['root', 4, 0]);
  });
});
