import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadConfig } from '#core/config/config.ts';
import { createTelemetry, type RunningTelemetry } from '#core/telemetry/telemetry.ts';
import { withSpan } from '#core/telemetry/tracing.ts';
import { requestSpan } from '../../support/request-span.ts';
import { startOtlpReceiver } from '../../support/otlp-receiver.ts';

const quiet = { write: (): void => undefined };

const countOf = async (telemetry: RunningTelemetry, labels: string): Promise<number> => {
  const { body } = await telemetry.metrics.render();
  return Number(
    body
      .split('\n')
      .find((line) => line.startsWith(`returnit_traces_spans_total{${labels}}`))
      ?.split(' ')[1],
  );
};

async function makeSpans(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await withSpan('span', {}, () => undefined);
}

describe('traces by OTLP', () => {
  it('reach the receiver at stop, with resource, parentage and links', async () => {
    const receiver = await startOtlpReceiver();
    const environment = {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      RETURNIT_ENVIRONMENT: 'staging',
      RETURNIT_REGION: 'us-east',
    };
    const telemetry = await createTelemetry(loadConfig(environment), { version: '1.2.3', logDestination: quiet });
    const linked = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';
    await withSpan('parent', { kind: 'server', links: [linked] }, async () => {
      await Promise.resolve();
      await withSpan('child', { kind: 'client', attributes: { 'db.system.name': 'postgresql' } }, () => undefined);
    });
    await telemetry.stop();
    await receiver.stop();

    assert.deepEqual([...new Set(receiver.requests)], ['POST /v1/traces']);
    const { 'service.instance.id': instance, ...resource } = receiver.spans[0]?.resource ?? {};
    assert.deepEqual(resource, {
      'service.name': 'returnit',
      'service.version': '1.2.3',
      'deployment.environment.name': 'staging',
      'cloud.region': 'us-east',
    });
    assert.match(instance ?? '', /^[0-9a-f-]{36}$/);
    const parent = receiver.spans.find((span) => span.name === 'parent');
    const child = receiver.spans.find((span) => span.name === 'child');
    assert.match(parent?.traceId ?? '', /^[0-9a-f]{32}$/);
    assert.equal(child?.traceId, parent?.traceId);
    assert.equal(child?.parentSpanId, parent?.spanId);
    assert.equal(parent?.links?.[0]?.traceId, '0af7651916cd43dd8448eb211c80319c');
    assert.equal(await countOf(telemetry, 'outcome="exported"'), 2);
    assert.equal(await countOf(telemetry, 'outcome="kept",reason="sampled"'), 2);
    assert.deepEqual(telemetry.tracing.recentSpans(), []);
  });

  it('are those of the ratio and of what failed', async () => {
    const receiver = await startOtlpReceiver();
    const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, TRACES_SAMPLE_RATIO: '0' };
    const telemetry = await createTelemetry(loadConfig(environment), { version: '0', logDestination: quiet });
    const work = async (name: string, error?: Error): Promise<void> => {
      await requestSpan(name, 1, async () => {
        await withSpan(`${name}.child`, {}, () => undefined);
        if (error !== undefined) throw error;
      });
    };
    await work('quick');
    await assert.rejects(work('failed', new Error('no')));
    await telemetry.stop();
    await receiver.stop();
    assert.deepEqual(receiver.spans.map(({ name }) => name).toSorted(), ['failed', 'failed.child']);
    const failed = receiver.spans.find(({ name }) => name === 'failed');
    assert.equal(failed?.attributes.find(({ key }) => key === 'returnit.kept')?.value.stringValue, 'failed');
    assert.equal(await countOf(telemetry, 'outcome="dropped",reason="unsampled"'), 2);
    assert.equal(await countOf(telemetry, 'outcome="exported"'), 2);
  });

  it('that the receiver refuses are counted and logged, and do not hurt the work', async () => {
    const receiver = await startOtlpReceiver(400);
    const lines: string[] = [];
    const telemetry = await createTelemetry(loadConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/base/` }), {
      version: '0',
      logDestination: { write: (line) => void lines.push(line) },
    });
    await withSpan('refused', {}, () => undefined);
    await telemetry.stop();
    await receiver.stop();
    assert.deepEqual(receiver.requests, ['POST /base/v1/traces']);
    assert.equal(await countOf(telemetry, 'outcome="dropped",reason="refused"'), 1);
    assert.match(lines.join(''), /Cannot export traces/);
  });

  for (const [state, endpoint] of [
    ['is deaf', (url: string) => url],
    // Port 1 is nobody's.
    ['is down', () => 'http://127.0.0.1:1'],
  ] as const) {
    it(`hold up neither work nor stop when the receiver ${state}; what does not fit is counted`, async () => {
      const receiver = await startOtlpReceiver('never');
      const environment = {
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint(receiver.url),
        TRACES_QUEUE_MAX: '600',
        TRACES_STOP_MS: '300',
      };
      const telemetry = await createTelemetry(loadConfig(environment), { version: '0', logDestination: quiet });
      const total = 3000;
      await makeSpans(total);
      assert.equal(await countOf(telemetry, `outcome="kept",reason="sampled"`), total);
      const full = await countOf(telemetry, 'outcome="dropped",reason="queue_full"');
      assert.ok(full > 0 && full < total, `${full} did not fit`);
      const stopping = AbortSignal.timeout(8000);
      await telemetry.stop();
      // The exporter's own patience is longer, and there are several batches.
      assert.equal(stopping.aborted, false, 'the stop has a deadline');
      await receiver.stop();
      const lost = await Promise.all(
        ['queue_full', 'refused', 'stopped'].map((reason) =>
          countOf(telemetry, `outcome="dropped",reason="${reason}"`),
        ),
      );
      assert.equal(
        lost.reduce((sum, spans) => sum + spans, 0),
        total,
        String(lost),
      );
      assert.equal(await countOf(telemetry, 'outcome="exported"'), 0);
    });
  }
});
