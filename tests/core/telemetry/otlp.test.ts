import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { loadConfig } from '#core/config/config.ts';
import { createTelemetry } from '#core/telemetry/telemetry.ts';
import { withSpan } from '#core/telemetry/tracing.ts';

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly links?: readonly { readonly traceId: string }[];
}
interface OtlpExport {
  readonly resourceSpans: readonly {
    readonly resource: {
      readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[];
    };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

/** An OTLP/HTTP receiver that keeps what it is sent. */
async function startReceiver(
  status: number,
): Promise<{ url: string; exports: OtlpExport[]; paths: string[]; stop(): Promise<void> }> {
  const exports: OtlpExport[] = [];
  const paths: string[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      paths.push(`${request.method} ${request.url}`);
      exports.push(JSON.parse(body) as OtlpExport);
      return response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    exports,
    paths,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const quiet = { write: (): void => undefined };

describe('traces by OTLP', () => {
  it('reach the receiver at stop, with resource, parentage and links', async () => {
    const receiver = await startReceiver(200);
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

    assert.deepEqual([...new Set(receiver.paths)], ['POST /v1/traces']);
    const resources = receiver.exports.flatMap((body) => body.resourceSpans);
    const attributes = Object.fromEntries(
      resources[0]?.resource.attributes.map(({ key, value }) => [key, value.stringValue]) ?? [],
    );
    assert.deepEqual(attributes, {
      'service.name': 'returnit',
      'service.version': '1.2.3',
      'deployment.environment.name': 'staging',
      'cloud.region': 'us-east',
    });
    const spans = resources.flatMap((resource) => resource.scopeSpans).flatMap((scope) => scope.spans);
    const parent = spans.find((span) => span.name === 'parent');
    const child = spans.find((span) => span.name === 'child');
    assert.match(parent?.traceId ?? '', /^[0-9a-f]{32}$/);
    assert.equal(child?.traceId, parent?.traceId);
    assert.equal(child?.parentSpanId, parent?.spanId);
    assert.equal(parent?.links?.[0]?.traceId, '0af7651916cd43dd8448eb211c80319c');
    const { body } = await telemetry.metrics.render();
    assert.match(body, /^returnit_traces_spans_total\{outcome="exported"\} 2$/m);
    assert.deepEqual(telemetry.tracing.recentSpans(), []);
  });

  it('that the receiver refuses are counted and logged, and do not hurt the work', async () => {
    const receiver = await startReceiver(400);
    const lines: string[] = [];
    const telemetry = await createTelemetry(loadConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/base/` }), {
      version: '0',
      logDestination: { write: (line) => void lines.push(line) },
    });
    await withSpan('refused', {}, () => undefined);
    await telemetry.stop();
    await receiver.stop();
    assert.deepEqual(receiver.paths, ['POST /base/v1/traces']);
    const { body } = await telemetry.metrics.render();
    assert.match(body, /^returnit_traces_spans_total\{outcome="dropped"\} 1$/m);
    assert.match(lines.join(''), /Cannot export traces/);
  });
});
