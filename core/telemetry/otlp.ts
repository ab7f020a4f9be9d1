import { randomUUID } from 'node:crypto';
import { diag, DiagLogLevel, SpanStatusCode, type TracerProvider as TracerProviderApi } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  TracerProvider,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace';
import type { Logger } from './logger.ts';
import { toRedactedSpan } from './redacted-span.ts';
import { TailSampler, type SamplingOptions } from './tail-sampler.ts';

export interface OtlpOptions {
  /** OTEL_EXPORTER_OTLP_ENDPOINT: the base, without `/v1/traces`. */
  readonly endpoint: string;
  readonly version: string;
  readonly environment: string;
  readonly region: string;
  readonly sampling: SamplingOptions;
  /** Spans that wait for the receiver; more are dropped. */
  readonly queueMax: number;
  /** How long `stop()` waits for the receiver. */
  readonly stopMs: number;
  readonly logger?: Logger;
}

export interface OtlpTracer {
  readonly provider: TracerProviderApi;
  readonly sampler: TailSampler<ReadableSpan>;
  exported(): number;
  /** Of what was to go to the receiver. */
  readonly dropped: Readonly<Record<'queue_full' | 'refused' | 'stopped', number>>;
  flush(): Promise<void>;
  /** Sends what is queued within `stopMs`, then closes. */
  stop(): Promise<void>;
}

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
  const exporter = new OTLPTraceExporter({ url: toTracesUrl(options.endpoint), timeoutMillis: timeoutMs });
  const queue = new ExportQueue(exporter, options.queueMax);
  const sampler = new TailSampler<ReadableSpan>(
    {
      sampled: (span) => queue.add(span),
      tail(span, isSampled) {
        if (!isSampled) queue.add(span);
      },
      wantsAllOfTail: false,
      isFailed: ({ status }) => status.code === SpanStatusCode.ERROR,
    },
    options.sampling,
  );
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': 'returnit',
      'service.version': options.version,
      // Which node: a trace runs across several.
      'service.instance.id': randomUUID(),
      'deployment.environment.name': options.environment,
      'cloud.region': options.region,
    }),
    // Whoever calls us must not decide what is recorded: all is, and the tail sampler says what is sent.
    sampler: new AlwaysOnSampler(),
    spanLimits: { attributeCountLimit: 64, attributeValueLengthLimit: 1024, eventCountLimit: 16, linkCountLimit: 32 },
    spanProcessors: [
      {
        onStart: () => undefined,
        onEnd: (span) => sampler.ended(span),
        forceFlush: () => queue.flush(),
        shutdown: () => queue.stop(options.stopMs),
      },
    ],
  });
  return {
    provider,
    sampler,
    exported: () => queue.exported,
    dropped: queue.dropped,
    flush: () => provider.forceFlush(),
    async stop() {
      await provider.shutdown();
      const { queue_full, refused, stopped } = queue.dropped;
      if (queue_full + refused + stopped > 0) {
        const log = { component: 'telemetry', dropped: queue.dropped, exported: queue.exported };
        logger?.warn(log, 'Cannot export traces: the receiver did not take all of them');
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
 * What waits for the receiver, and the fate of every span of it. The batch processor drops in silence when its queue is
 * full; the queue is what was added and has not been handed to the exporter, so it is counted here.
 */
class ExportQueue {
  exported = 0;
  readonly dropped = { queue_full: 0, refused: 0, stopped: 0 };
  readonly #processor: BatchSpanProcessor;
  readonly #max: number;
  #queued = 0;
  #sending = 0;
  #isStopped = false;

  constructor(exporter: SpanExporter, max: number) {
    this.#max = max;
    this.#processor = new BatchSpanProcessor({
      exporter: {
        export: (spans, done) => this.#export(exporter, spans, done),
        shutdown: () => exporter.shutdown(),
        forceFlush: async () => exporter.forceFlush?.(),
      },
      maxQueueSize: max,
      maxExportBatchSize: Math.min(batchMax, max),
      scheduledDelayMillis: delayMs,
      exportTimeoutMillis: timeoutMs,
    });
  }

  add(span: ReadableSpan): void {
    if (this.#queued >= this.#max) {
      this.dropped.queue_full += 1;
      return;
    }
    this.#queued += 1;
    this.#processor.onEnd(span);
  }

  flush(): Promise<void> {
    return this.#processor.forceFlush();
  }

  /** A receiver that is down must not keep the core from stopping: what has not been taken in time is given up. */
  async stop(waitMs: number): Promise<void> {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, waitMs);
    // It rejects for a batch that was refused, which is counted where it is sent.
    await Promise.race([this.#processor.shutdown().catch(() => undefined), over]);
    clearTimeout(timer);
    this.#isStopped = true;
    this.dropped.stopped += this.#queued + this.#sending;
  }

  #export(exporter: SpanExporter, spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    this.#queued -= spans.length;
    this.#sending += spans.length;
    exporter.export(spans.map(toRedactedSpan), (result) => {
      this.#sending -= spans.length;
      // 0 is ExportResultCode.SUCCESS.
      const code: number = result.code;
      if (this.#isStopped) return done(result);
      if (code === 0) this.exported += spans.length;
      else this.dropped.refused += spans.length;
      done(result);
    });
  }
}
