import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { AppError } from '#core/errors/app-error.ts';
import { withSpan } from '#core/telemetry/tracing.ts';
import type { Logger } from '#core/telemetry/logger.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { BatchMetrics } from './batch-metrics.ts';
import {
  decodePayload,
  parseVerdicts,
  toPluginMessage,
  toReasonLabel,
  toRefusedContent,
  type Content,
  type HandleBatch,
} from './batch-handling.ts';
import { FairQueue } from './fair-queue.ts';
import type { IncomingMessage } from './incoming-message.ts';
import { traceLinks } from './trace-links.ts';
import type { MessageSink } from './transport.ts';

export interface BatchWishes {
  readonly batchSizeMax: number;
  readonly batchWaitMs: number;
  /** Batches that the plugin takes at a time: a second one is handed over while the first is stored, if it is full. @default 1 */
  readonly batchesMax?: number;
  /** Whether the plugin also wants what it cannot be handed as a message, to reject it in its own way. @default false */
  readonly handOverRefused?: boolean;
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
  /** Jitter of the retry delay. @default Math.random */
  readonly random?: () => number;
  /** @default Date.now */
  readonly now?: () => number;
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

/** A sender may have this part of the room that is left: there is always some for one that has nothing here yet. */
const shareDivisor = 16;

interface Entry {
  readonly message: IncomingMessage;
  readonly content: Content;
}

interface Apart {
  readonly content: Content;
  readonly failures: number;
  readonly dueAtMs: number;
}

export function createBatcher(options: BatcherOptions): Batcher {
  return new SubscriptionBatcher(options);
}

/**
 * One batch is in flight at a time, or as many as the plugin wishes while none has failed. A message leaves when it is
 * settled (acknowledged) or gone; until then it comes again, whatever happens to the plugin. A batch whose handler threw
 * comes again in halves, at once and alone; a single message that fails alone is set apart, so that it keeps no other
 * back, and is tried again by itself with growing delays.
 */
class SubscriptionBatcher implements Batcher {
  readonly #options: BatcherOptions;
  readonly #metrics: BatchMetrics;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #waiting = new FairQueue<Content>();
  readonly #setApart = new Map<IncomingMessage, Apart>();
  /** Messages of the batches in flight: they are also among those that wait, or set apart. */
  readonly #handedOver = new Set<IncomingMessage>();
  readonly #onGone = (gone: IncomingMessage): void => void this.#remove(gone);
  #attached: { readonly handle: HandleBatch; readonly wishes: BatchWishes } | undefined;
  readonly #inFlight = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #sizeLimit: number;
  /** What the newest handler wished: it holds while the plugin is away. */
  #handsOverRefused = false;
  #stopped = false;

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#metrics = new BatchMetrics(options.telemetry.metrics, options);
    this.#log = options.telemetry.logger.child({ component: 'mqtt', plugin: options.plugin, filter: options.filter });
    this.#now = options.now ?? Date.now;
    this.#sizeLimit = options.batchSizeMax;
  }

  get size(): number {
    return this.#waiting.size + this.#setApart.size;
  }

  hasRoom(held = 0): boolean {
    return held * shareDivisor < this.#options.waitingMax - this.size;
  }

  deliver(message: IncomingMessage): void {
    this.#metrics.received(message);
    message.claim(this.#onGone);
    const decoded = decodePayload(message.payload, this.#options.payloadMaxBytes);
    if ('rejected' in decoded) {
      if (!this.#handsOverRefused) {
        this.#reject(message, decoded.rejected);
        return message.settle();
      }
      this.#waiting.add(message, toRefusedContent(message.payload, decoded.rejected));
    } else {
      this.#waiting.add(message, decoded);
    }
    this.#schedule();
  }

  attach(handle: HandleBatch, wishes: BatchWishes): void {
    this.#attached = { handle, wishes };
    this.#handsOverRefused = wishes.handOverRefused === true;
    this.#failures = 0;
    this.#sizeLimit = this.#options.batchSizeMax;
    this.#clearTimer();
    this.#schedule();
  }

  detach(handle: HandleBatch): void {
    if (this.#attached?.handle !== handle) return;
    this.#attached = undefined;
    this.#clearTimer();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#clearTimer();
    await Promise.all(this.#inFlight);
  }

  #remove(message: IncomingMessage): boolean {
    this.#handedOver.delete(message);
    return this.#waiting.delete(message) || this.#setApart.delete(message);
  }

  #clearTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wishedSize(): number {
    const wished = this.#attached?.wishes.batchSizeMax ?? Number.MAX_SAFE_INTEGER;
    return Math.min(this.#options.batchSizeMax, wished, this.#sizeLimit);
  }

  /** Whether another batch may go while some are in flight. After a failure none may, so that a bad message is found. */
  #mayJoin(): boolean {
    const isWell = this.#failures === 0 && this.#sizeLimit === this.#options.batchSizeMax;
    return isWell && this.#inFlight.size < (this.#attached?.wishes.batchesMax ?? 1);
  }

  #schedule(): void {
    if (this.#stopped || this.#attached === undefined || this.size === this.#handedOver.size) return;
    if (this.#inFlight.size > 0 && !this.#mayJoin()) return;
    // After a failure only the back-off decides: a full batch must not cut it short.
    const isFull = this.#waiting.size - this.#handedOver.size >= this.#wishedSize();
    if (this.#failures === 0 && isFull) return this.#run();
    // What is not full waits for those in flight: it grows meanwhile.
    if (this.#inFlight.size > 0) return;
    this.#timer ??= setTimeout(() => this.#run(), this.#delayMs(this.#attached.wishes));
  }

  #delayMs(wishes: BatchWishes): number {
    if (this.#failures > 0) return this.#backOffMs(this.#failures);
    if (this.#waiting.size > 0) return Math.min(this.#options.batchWaitMs, wishes.batchWaitMs);
    const dueAtMs = Math.min(...this.#setApart.values().map((apart) => apart.dueAtMs));
    return Math.max(0, dueAtMs - this.#now());
  }

  #backOffMs(failures: number): number {
    const { retryDelayMs, retryDelayMaxMs = 30_000, random = Math.random } = this.#options;
    return Math.min(retryDelayMaxMs, retryDelayMs * 2 ** Math.min(failures - 1, 20)) * (0.75 + random() / 4);
  }

  #run(): void {
    this.#clearTimer();
    if (this.#stopped || this.#attached === undefined) return;
    const batch = this.#take();
    if (batch.length === 0) return this.#schedule();
    // Whatever happened to set the timer off is not the batch's cause: its trace is its own.
    const { handle } = this.#attached;
    for (const { message } of batch) this.#handedOver.add(message);
    const inFlight = context
      .with(ROOT_CONTEXT, () => this.#process(batch, handle))
      .finally(() => {
        this.#inFlight.delete(inFlight);
        for (const { message } of batch) this.#handedOver.delete(message);
        this.#schedule();
      });
    this.#inFlight.add(inFlight);
  }

  #take(): readonly Entry[] {
    const now = this.#now();
    for (const [message, { content, dueAtMs }] of this.#setApart) {
      if (dueAtMs <= now && !this.#handedOver.has(message)) return [{ message, content }];
    }
    const batch: Entry[] = [];
    const size = this.#wishedSize();
    let bytes = 0;
    for (const [message, content] of this.#waiting.entries()) {
      if (this.#handedOver.has(message)) continue;
      // Of a refused payload only the beginning is handed over.
      bytes += (content.refused === undefined ? message.payload.length : content.text.length) + message.topic.length;
      if (batch.length > 0 && bytes > this.#options.batchMaxBytes) break;
      batch.push({ message, content });
      if (batch.length >= size) break;
    }
    return batch;
  }

  async #process(batch: readonly Entry[], handle: HandleBatch): Promise<void> {
    const ended = this.#metrics.batchStarted(batch.length);
    const sizeLimit = this.#sizeLimit;
    const { plugin, filter } = this.#options;
    const attributes = {
      'messaging.system': 'mqtt',
      'messaging.operation.name': 'process',
      'messaging.destination.template': filter,
      'messaging.batch.message_count': batch.length,
      'returnit.plugin': plugin,
    };
    const links = traceLinks(batch.map(({ content }) => content.text));
    try {
      await withSpan(`process ${filter}`, { kind: 'consumer', attributes, links }, () => this.#handOver(batch, handle));
      // Another that was in flight may have failed meanwhile: this one says nothing of what comes next.
      if (this.#sizeLimit === sizeLimit) {
        this.#failures = 0;
        this.#sizeLimit = Math.min(this.#options.batchSizeMax, sizeLimit * 2);
      }
      ended('');
    } catch (error) {
      const code = error instanceof AppError ? error.code : 'INTERNAL';
      this.#failed(batch, code);
      this.#log.warn({ err: error, messages: batch.length }, 'Batch failed: it is not acknowledged and comes again');
      ended(code);
    }
  }

  async #handOver(batch: readonly Entry[], handle: HandleBatch): Promise<void> {
    const messages = batch.map(({ message, content }) => toPluginMessage(message, content));
    const verdicts = parseVerdicts(await handle(messages), batch.length);
    for (const [index, { message }] of batch.entries()) {
      const verdict = verdicts[index];
      if (verdict !== undefined && verdict !== 'accepted') this.#reject(message, verdict.rejected);
      // Gone meanwhile: it was committed, nobody waits for the acknowledgement, and its copy will be recognised.
      if (this.#remove(message)) message.settle();
    }
  }

  #failed(batch: readonly Entry[], code: string): void {
    this.#metrics.retried();
    const [first] = batch;
    // A plugin that is away would fail for any message: only a handler that threw may have thrown for one of many.
    if (code !== 'PLUGIN_FAILED' || first === undefined) {
      this.#failures += 1;
    } else if (batch.length > 1) {
      this.#sizeLimit = Math.floor(batch.length / 2);
    } else {
      const failures = (this.#setApart.get(first.message)?.failures ?? 0) + 1;
      const dueAtMs = this.#now() + this.#backOffMs(failures);
      if (this.#remove(first.message)) this.#setApart.set(first.message, { content: first.content, failures, dueAtMs });
      // The database may be away for all: the next message is not tried at once either.
      if (failures === 1) this.#failures += 1;
    }
  }

  #reject(message: IncomingMessage, reason: string): void {
    this.#metrics.rejected(message, toReasonLabel(reason));
  }
}
