import { performance } from 'node:perf_hooks';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import type { MqttMessage } from '#plugin-api';
import { AppError } from '#core/errors/app-error.ts';
import { withSpan } from '#core/telemetry/tracing.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { decodePayload, parseVerdicts, toPluginMessage, toReasonLabel, type HandleBatch } from './batch-handling.ts';
import type { IncomingMessage } from './incoming-message.ts';
import { traceLinks } from './trace-links.ts';
import type { MessageSink } from './transport.ts';

export interface BatchWishes {
  readonly batchSizeMax: number;
  readonly batchWaitMs: number;
}

export interface BatcherOptions {
  readonly plugin: string;
  readonly filter: string;
  readonly telemetry: Telemetry;
  readonly batchSizeMax: number;
  readonly batchWaitMs: number;
  /** Payload bytes of one batch, so that its frame stays below the plugin's limit. */
  readonly batchMaxBytes: number;
  readonly payloadMaxBytes: number;
  /** Messages that may wait before no more are read for this subscription. */
  readonly waitingMax: number;
  /** First delay after a failure; it doubles up to `retryDelayMaxMs`. */
  readonly retryDelayMs: number;
  /** @default 30000 */
  readonly retryDelayMaxMs?: number;
  /** Gets every message that is acknowledged without being accepted. */
  readonly onRejected?: (message: IncomingMessage, reason: string) => void;
  /** Jitter of the retry delay. @default Math.random */
  readonly random?: () => number;
}

/** The messages of one subscription, on their way to the plugin. It outlives the plugin's processes. */
export interface Batcher extends MessageSink {
  /** Messages waiting or being handled. */
  readonly size: number;
  /** Hands batches to this handler from now on; the batch in flight at an earlier one comes again if that one fails. */
  attach(handle: HandleBatch, wishes: BatchWishes): void;
  /** The plugin's process is gone: what comes waits for the next. Does nothing when another handler is attached. */
  detach(handle: HandleBatch): void;
  /** Hands out nothing more; resolves when the batch in flight has ended. */
  stop(): Promise<void>;
}

interface Entry {
  readonly message: IncomingMessage;
  readonly text: string;
}

/**
 * One batch is in flight at a time. A message leaves `waiting` when it is settled (acknowledged) or gone; until then it
 * comes again, whatever happens to the plugin. A batch whose handler threw comes again in smaller pieces, and a single
 * message that still fails goes to the end, so that one bad message cannot keep the good ones back.
 */
export function createBatcher(options: BatcherOptions): Batcher {
  const { plugin, filter } = options;
  const { metrics, logger } = options.telemetry;
  const log = logger.child({ component: 'mqtt', plugin, filter });
  const labels = { plugin, messaging_destination_template: filter };
  const received = metrics.counter('returnit_mqtt_messages_received_total');
  const rejected = metrics.counter('returnit_mqtt_messages_rejected_total');
  const retries = metrics.counter('returnit_mqtt_batch_retries_total');
  const batchSize = metrics.histogram('returnit_mqtt_batch_size');
  const processDuration = metrics.histogram('messaging_process_duration_seconds');
  const lastMessage = metrics.gauge('returnit_mqtt_last_message_timestamp_seconds');
  const random = options.random ?? Math.random;

  const waiting = new Map<IncomingMessage, string>();
  let attached: { readonly handle: HandleBatch; readonly wishes: BatchWishes } | undefined;
  let inFlight: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  let sizeLimit = options.batchSizeMax;
  let stopped = false;

  function wish(): BatchWishes {
    return {
      batchSizeMax: Math.min(options.batchSizeMax, attached?.wishes.batchSizeMax ?? options.batchSizeMax, sizeLimit),
      batchWaitMs: Math.min(options.batchWaitMs, attached?.wishes.batchWaitMs ?? options.batchWaitMs),
    };
  }

  function schedule(): void {
    if (stopped || attached === undefined || inFlight !== undefined || waiting.size === 0) return;
    // After a failure only the back-off decides: a full batch must not cut it short.
    if (failures === 0 && waiting.size >= wish().batchSizeMax) return run();
    timer ??= setTimeout(run, failures === 0 ? wish().batchWaitMs : retryDelayMs());
  }

  function retryDelayMs(): number {
    const full = Math.min(options.retryDelayMaxMs ?? 30_000, options.retryDelayMs * 2 ** Math.min(failures - 1, 20));
    return full * (0.75 + random() / 4);
  }

  function run(): void {
    clearTimeout(timer);
    timer = undefined;
    if (stopped || attached === undefined || inFlight !== undefined) return;
    const batch = take();
    if (batch.length === 0) return;
    // Whatever happened to set the timer off is not the batch's cause: its trace is its own.
    inFlight = context.with(ROOT_CONTEXT, process, undefined, batch, attached.handle).finally(() => {
      inFlight = undefined;
      schedule();
    });
  }

  function take(): readonly Entry[] {
    const batch: Entry[] = [];
    let bytes = 0;
    for (const [message, text] of waiting) {
      bytes += message.payload.length + message.topic.length;
      if (batch.length > 0 && bytes > options.batchMaxBytes) break;
      batch.push({ message, text });
      if (batch.length >= wish().batchSizeMax) break;
    }
    return batch;
  }

  async function process(batch: readonly Entry[], handle: HandleBatch): Promise<void> {
    const startedAt = performance.now();
    let errorType = '';
    try {
      await withSpan(
        `process ${filter}`,
        {
          kind: 'consumer',
          attributes: {
            'messaging.system': 'mqtt',
            'messaging.operation.name': 'process',
            'messaging.destination.template': filter,
            'messaging.batch.message_count': batch.length,
            'returnit.plugin': plugin,
          },
          links: [...traceLinks(batch.map((entry) => entry.text))],
        },
        () => handOver(batch, handle),
      );
      succeeded();
    } catch (error) {
      errorType = error instanceof AppError ? error.code : 'INTERNAL';
      failed(batch, error, errorType);
    } finally {
      batchSize.observe(labels, batch.length);
      processDuration.observe(
        { ...labels, messaging_system: 'mqtt', error_type: errorType },
        (performance.now() - startedAt) / 1000,
      );
    }
  }

  async function handOver(batch: readonly Entry[], handle: HandleBatch): Promise<void> {
    const messages: MqttMessage[] = batch.map(({ message, text }) => toPluginMessage(message, text));
    const verdicts = parseVerdicts(await handle(messages), batch.length);
    for (const [index, { message }] of batch.entries()) {
      const verdict = verdicts[index];
      if (verdict !== undefined && verdict !== 'accepted') reject(message, verdict.rejected);
      // Gone meanwhile: it was committed, nobody waits for the acknowledgement, and its copy will be recognised.
      if (waiting.delete(message)) message.settle();
    }
  }

  function succeeded(): void {
    failures = 0;
    sizeLimit = Math.min(options.batchSizeMax, sizeLimit * 2);
  }

  function failed(batch: readonly Entry[], error: unknown, code: string): void {
    failures += 1;
    retries.inc(labels);
    // A handler that threw may have thrown for one message of many; a plugin that is away would fail for any.
    if (code === 'PLUGIN_FAILED') sizeLimit = Math.max(1, Math.floor(batch.length / 2));
    const [only] = batch;
    if (code === 'PLUGIN_FAILED' && batch.length === 1 && only !== undefined && waiting.delete(only.message)) {
      waiting.set(only.message, only.text);
    }
    log.warn({ err: error, messages: batch.length, failures }, 'Batch failed: it is not acknowledged and comes again');
  }

  function reject(message: IncomingMessage, reason: string): void {
    const label = toReasonLabel(reason);
    rejected.inc({ ...labels, qos: String(message.qos), reason: label });
    options.onRejected?.(message, label);
  }

  return {
    get size() {
      return waiting.size;
    },
    hasRoom: () => waiting.size < options.waitingMax,
    deliver(message) {
      received.inc({ ...labels, qos: String(message.qos) });
      lastMessage.set({}, message.receivedAtMs / 1000);
      message.claim((gone) => waiting.delete(gone));
      const decoded = decodePayload(message.payload, options.payloadMaxBytes);
      if ('rejected' in decoded) {
        reject(message, decoded.rejected);
        return message.settle();
      }
      waiting.set(message, decoded.text);
      schedule();
    },
    attach(handle, wishes) {
      attached = { handle, wishes };
      failures = 0;
      sizeLimit = options.batchSizeMax;
      clearTimeout(timer);
      timer = undefined;
      schedule();
    },
    detach(handle) {
      if (attached?.handle !== handle) return;
      attached = undefined;
      clearTimeout(timer);
      timer = undefined;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      timer = undefined;
      await inFlight;
    },
  };
}
