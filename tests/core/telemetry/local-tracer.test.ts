import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { createLocalTracer } from '#core/telemetry/local-tracer.ts';

describe('createLocalTracer()', () => {
  it('keeps the newest spans, oldest first, and the ids of W3C', () => {
    const local = createLocalTracer({ spansMax: 3 });
    const tracer = local.provider.getTracer('test');
    for (let index = 0; index < 10; index += 1) tracer.startSpan(`s${index}`).end();
    assert.deepEqual(
      local.recentSpans().map((span) => span.name),
      ['s7', 's8', 's9'],
    );
    assert.equal(local.finished(), 10);
    for (const span of local.recentSpans()) assert.ok(trace.isSpanContextValid({ ...span, traceFlags: 1 }));
    assert.equal(new Set(local.recentSpans().map((span) => span.spanId)).size, 3);
  });

  it('keeps of each span all that it said, in the places of earlier ones', () => {
    const local = createLocalTracer({ spansMax: 4 });
    const tracer = local.provider.getTracer('test');
    const known = new Set<string>();
    for (let index = 0; index < 300; index += 1) {
      const parent = tracer.startSpan(`parent ${index}`, { kind: SpanKind.SERVER, startTime: 1000 + index });
      parent
        .setAttributes({ index })
        .addEvent('seen', { index })
        .end(1000.5 + index);
      const child = tracer.startSpan(
        `child ${index}`,
        { attributes: { of: index }, startTime: 1000 + index },
        trace.setSpan(ROOT_CONTEXT, parent),
      );
      child.setStatus({ code: SpanStatusCode.ERROR, message: 'no' }).end(1002 + index);
      const { traceId, spanId } = parent.spanContext();
      const [of, inIt] = local.recentSpans().slice(-2);
      assert.deepEqual([of?.traceId, of?.spanId, of?.parentSpanId], [traceId, spanId, undefined]);
      assert.deepEqual([of?.name, of?.kind, of?.durationMs, of?.status], [`parent ${index}`, 'server', 0.5, 'unset']);
      assert.deepEqual([of?.attributes, of?.events.map(({ attributes }) => attributes)], [{ index }, [{ index }]]);
      assert.equal(Date.parse(of?.startedAt ?? ''), Math.floor(performance.timeOrigin + 1000 + index));
      assert.deepEqual(
        [inIt?.traceId, inIt?.parentSpanId, inIt?.spanId],
        [traceId, spanId, child.spanContext().spanId],
      );
      assert.deepEqual([inIt?.name, inIt?.kind, inIt?.durationMs], [`child ${index}`, 'internal', 2]);
      assert.deepEqual([inIt?.status, inIt?.attributes, inIt?.events], ['error', { of: index }, []]);
      for (const id of [traceId, spanId, child.spanContext().spanId]) known.add(id);
    }
    assert.equal(known.size, 900);
    assert.equal(local.recentSpans().length, 4);
  });

  it('makes ids and records nothing when nothing is to be kept', () => {
    const local = createLocalTracer({ spansMax: 0 });
    const tracer = local.provider.getTracer('test');
    const parent = tracer.startSpan('parent', { attributes: { a: 1 } });
    const child = tracer.startSpan('child', {}, trace.setSpan(ROOT_CONTEXT, parent));
    const [of, inIt] = [parent.spanContext(), child.spanContext()];
    assert.ok(trace.isSpanContextValid(of) && trace.isSpanContextValid(inIt));
    assert.equal(inIt.traceId, of.traceId);
    assert.notEqual(inIt.spanId, of.spanId);
    assert.deepEqual([parent.isRecording(), of.traceFlags], [false, 0]);
    child.end();
    parent.end();
    assert.deepEqual([local.recentSpans(), local.finished()], [[], 0]);
  });

  it('records when only what failed or was slow is to be kept', () => {
    const local = createLocalTracer({ spansMax: 0, tailMax: 1 });
    assert.ok(local.provider.getTracer('test').startSpan('a').isRecording());
  });

  it('bounds attributes, events, links and texts, and ignores what comes after the end', () => {
    const local = createLocalTracer({ spansMax: 3 });
    const span = local.provider.getTracer('test').startSpan('a', { attributes: { text: 'x'.repeat(1e5) } });
    for (let index = 0; index < 500; index += 1)
      span.setAttribute(`a${index}`, index).addEvent('e').addLink({ context: span.spanContext() });
    span.end();
    span.setAttribute('late', true).updateName('late');
    const [record] = local.recentSpans();
    assert.deepEqual(
      [Object.keys(record?.attributes ?? {}).length, record?.events.length, record?.links.length],
      [64, 16, 32],
    );
    assert.equal(String(record?.attributes['text']).length, 1024);
    assert.equal(record?.name, 'a');
  });
});
