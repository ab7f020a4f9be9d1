import { diag, DiagLogLevel, type TracerProvider as TracerProviderApi } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  TracerProvider,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import type { Logger } from './logger.ts';

export interface OtlpOptions {
  /** OTEL_EXPORTER_OTLP_ENDPOINT: the base, without `/v1/traces`. */
  readonly endpoint: string;
  readonly version: string;
  readonly environment: string;
  readonly region: string;
  readonly logger?: Logger;
}

export interface OtlpTracer {
  readonly provider: TracerProviderApi;
  readonly counts: { readonly exported: number; readonly dropped: number };
  flush(): Promise<void>;
  /** Sends what is queued, then closes. */
  stop(): Promise<void>;
}

const queueMax = 4096;
const batchMax = 512;
const delayMs = 2000;
const timeoutMs = 10_000;

/** Spans to a receiver by OTLP/HTTP. This module loads the SDK: import it only when a receiver is configured. */
export function createOtlpTracer(options: OtlpOptions): OtlpTracer {
  const { logger } = options;
  if (logger !== undefined) {
    const warn = (message: string): void => logger.warn({ component: 'telemetry' }, `OpenTelemetry: ${message}`);
    diag.setLogger(
      { error: warn, warn, info: () => undefined, debug: () => undefined, verbose: () => undefined },
      { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
    );
  }
  const counts = { exported: 0, dropped: 0 };
  const exporter = new OTLPTraceExporter({ url: toTracesUrl(options.endpoint), timeoutMillis: timeoutMs });
  const processor = countOverflow(
    counts,
    (counted) =>
      new BatchSpanProcessor({
        exporter: counted(exporter),
        maxQueueSize: queueMax,
        maxExportBatchSize: batchMax,
        scheduledDelayMillis: delayMs,
        exportTimeoutMillis: timeoutMs,
      }),
  );
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': 'returnit',
      'service.version': options.version,
      'deployment.environment.name': options.environment,
      'cloud.region': options.region,
    }),
    // Whoever calls us must not decide what is recorded; sampling is the receiver's.
    sampler: new AlwaysOnSampler(),
    spanLimits: { attributeCountLimit: 64, attributeValueLengthLimit: 1024, eventCountLimit: 16, linkCountLimit: 32 },
    spanProcessors: [processor],
  });
  return {
    provider,
    counts,
    flush: () => provider.forceFlush(),
    async stop() {
      try {
        await provider.shutdown();
      } catch (error) {
        // A receiver that is down must not keep the core from stopping.
        logger?.warn(
          { component: 'telemetry', err: error },
          'Cannot export traces: the receiver did not take the last ones',
        );
      }
      if (logger !== undefined) diag.disable();
    },
  };
}

/** The path of the specification is appended to whatever path the base has. */
function toTracesUrl(endpoint: string): string {
  const url = new URL(endpoint);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/traces`;
  return url.href;
}

/**
 * Counts the fate of every span. The batch processor drops in silence when its queue is full; the queue is what has ended
 * and has not been handed to the exporter, so it is counted here.
 */
function countOverflow(
  counts: { exported: number; dropped: number },
  create: (counted: (exporter: SpanExporter) => SpanExporter) => SpanProcessor,
): SpanProcessor {
  let queued = 0;
  const inner = create((exporter) => ({
    export(spans, done) {
      queued -= spans.length;
      exporter.export(spans, (result) => {
        // 0 is ExportResultCode.SUCCESS.
        const code: number = result.code;
        if (code === 0) counts.exported += spans.length;
        else counts.dropped += spans.length;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  }));
  return {
    onStart: (span, parent) => inner.onStart(span, parent),
    onEnd(span) {
      if (queued < queueMax) queued += 1;
      else counts.dropped += 1;
      inner.onEnd(span);
    },
    forceFlush: () => inner.forceFlush(),
    shutdown: () => inner.shutdown(),
  };
}
