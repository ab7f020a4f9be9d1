import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { toErrorCode } from '#core/errors/app-error.ts';
import { BacklogPace } from './backlog-pace.ts';
import { BatchMetrics } from './batch-metrics.ts';
import { createBatchLog, type BatchLog } from './batch-log.ts';
import { withBatchSpan } from './batch-span.ts';
import {
  decodePayload,
  parseVerdicts,
  toPluginMessage,
  toReasonLabel,
  toRefusedContent,
  type Content,
  type HandleBatch,
} from './batch-handling.ts';
import { clearTimer, createKindStates, kinds, type Kind } from './batch-kind.ts';
import type { Batcher, BatcherOptions, BatchWishes } from './batcher.ts';
import { FairQueue } from './fair-queue.ts';
import type { IncomingMessage } from './incoming-message.ts';
import { SetApart } from './set-apart.ts';

/** A sender may have this part of the room that is left: there is always some for one that has nothing here yet. */
const shareDivisor = 16;

interface Entry {
  readonly message: IncomingMessage;
  readonly content: Content;
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
  readonly #log: BatchLog;
  readonly #now: () => number;
  readonly #waiting: FairQueue<Content>;
  readonly #pace: BacklogPace;
  readonly #setApart = new SetApart<Content>();
  /** Messages of the batches in flight: they are also among those that wait, or set apart. */
  readonly #handedOver = new Map<IncomingMessage, Kind>();
  readonly #kinds = createKindStates();
  readonly #onGone = (gone: IncomingMessage): void => void this.#remove(gone);
  #attached: { readonly handle: HandleBatch; readonly wishes: BatchWishes } | undefined;
  readonly #inFlight = new Set<Promise<void>>();
  #failures = 0;
  #sizeLimit: number;
  #newestKind: Kind = 'backlog';
  /** What the newest handler wished: it holds while the plugin is away. */
  #handsOverRefused = false;
  #stopped = false;

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#metrics = new BatchMetrics(options.telemetry.metrics, options);
    this.#log = createBatchLog(options);
    this.#now = options.now ?? Date.now;
    this.#waiting = new FairQueue({ ...options, now: this.#now });
    this.#pace = new BacklogPace({ share: options.backlogShare, now: this.#now });
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
    if ('rejected' in decoded && !this.#handsOverRefused) {
      this.#reject(message, decoded.rejected);
      return message.settle();
    }
    const content = 'rejected' in decoded ? toRefusedContent(message.payload, decoded.rejected) : decoded;
    const lane = this.#waiting.add(message, content);
    this.#pace.came(message.topic, lane);
    this.#schedule(lane);
  }

  attach(handle: HandleBatch, wishes: BatchWishes): void {
    this.#attached = { handle, wishes };
    this.#handsOverRefused = wishes.handOverRefused === true;
    this.#failures = 0;
    this.#sizeLimit = this.#options.batchSizeMax;
    this.#clearTimers();
    this.#scheduleAll();
  }

  detach(handle: HandleBatch): void {
    if (this.#attached?.handle !== handle) return;
    this.#attached = undefined;
    this.#clearTimers();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#clearTimers();
    await Promise.all(this.#inFlight);
  }

  #remove(message: IncomingMessage): boolean {
    this.#takeBack(message);
    return this.#waiting.delete(message) || this.#setApart.delete(message);
  }

  #takeBack(message: IncomingMessage): void {
    const kind = this.#handedOver.get(message);
    if (kind === undefined) return;
    this.#handedOver.delete(message);
    this.#kinds[kind].handedOver -= 1;
  }

  #clearTimers(): void {
    for (const state of Object.values(this.#kinds)) clearTimer(state);
  }

  /** A plugin does nothing else while it reads a batch: that of a backlog is small while others send now and then. */
  #wishedSize(kind: Kind): number {
    const { batchSizeMax, sharedBatchSizeMax } = this.#options;
    const wished = this.#attached?.wishes.batchSizeMax ?? Number.MAX_SAFE_INTEGER;
    const isShared = kind === 'backlog' && this.#pace.isShared;
    return Math.min(isShared ? sharedBatchSizeMax : batchSizeMax, wished, this.#sizeLimit);
  }

  /** Whether another batch may go while some are in flight. After a failure none may, so that a bad message is found. */
  #mayJoin(kind: Kind): boolean {
    if (this.#inFlight.size === 0) return true;
    if (this.#failures > 0 || this.#sizeLimit !== this.#options.batchSizeMax) return false;
    const batchesMax = this.#attached?.wishes.batchesMax ?? 1;
    if (this.#inFlight.size >= batchesMax) return false;
    // While others send now and then, the last place is theirs.
    return kind !== 'backlog' || !this.#pace.isShared || this.#kinds.backlog.batches + 1 < batchesMax;
  }

  #waitingOf(kind: Kind): number {
    const all = kind === 'apart' ? this.#setApart.size : this.#waiting.sizeOf(kind);
    return all - this.#kinds[kind].handedOver;
  }

  /** Whoever went last comes last, so that no lane keeps the other out of a plugin that takes one batch at a time. */
  #scheduleAll(): void {
    const last = this.#newestKind;
    for (const kind of kinds) if (kind !== last) this.#schedule(kind);
    this.#schedule(last);
  }

  #schedule(kind: Kind): void {
    if (this.#stopped || this.#attached === undefined) return;
    const waiting = this.#waitingOf(kind);
    if (waiting === 0 || !this.#mayJoin(kind)) return;
    const state = this.#kinds[kind];
    const pauseMs = kind === 'backlog' ? this.#pace.pauseMs : 0;
    // After a failure only the back-off decides: a full batch must not cut it short.
    const isFull = kind !== 'apart' && waiting >= this.#wishedSize(kind);
    if (this.#failures === 0 && isFull && pauseMs === 0 && this.#run(kind)) return;
    // What is not full waits for those of its kind in flight: it grows meanwhile.
    if (state.batches > 0) return;
    state.timer ??= setTimeout(
      () => {
        state.timer = undefined;
        // Those in flight look again when they end.
        if (!(this.#mayJoin(kind) && this.#run(kind)) && this.#inFlight.size === 0) this.#schedule(kind);
      },
      Math.max(pauseMs, this.#delayMs(kind, this.#attached.wishes)),
    );
  }

  #delayMs(kind: Kind, wishes: BatchWishes): number {
    if (this.#failures > 0) return this.#backOffMs(this.#failures);
    if (kind !== 'apart') return Math.min(this.#options.batchWaitMs, wishes.batchWaitMs);
    return Math.max(0, this.#setApart.nextDueAtMs - this.#now());
  }

  #backOffMs(failures: number): number {
    const { retryDelayMs, retryDelayMaxMs = 30_000, random = Math.random } = this.#options;
    return Math.min(retryDelayMaxMs, retryDelayMs * 2 ** Math.min(failures - 1, 20)) * (0.75 + random() / 4);
  }

  /** False when there is nothing that may go now. */
  #run(kind: Kind): boolean {
    if (this.#stopped || this.#attached === undefined) return false;
    const batch = this.#take(kind);
    if (batch.length === 0) return false;
    const state = this.#kinds[kind];
    clearTimer(state);
    for (const { message } of batch) this.#handedOver.set(message, kind);
    state.handedOver += batch.length;
    state.batches += 1;
    this.#newestKind = kind;
    this.#metrics.waiting(this.#waiting);
    const { handle } = this.#attached;
    const beganAtMs = this.#now();
    // Whatever happened to set the timer off is not the batch's cause: its trace is its own.
    const inFlight = context
      .with(ROOT_CONTEXT, () => this.#process(batch, handle))
      .finally(() => {
        this.#inFlight.delete(inFlight);
        for (const { message } of batch) this.#takeBack(message);
        state.batches -= 1;
        if (kind === 'backlog') this.#pace.batchEnded(this.#now() - beganAtMs);
        this.#metrics.waiting(this.#waiting);
        this.#scheduleAll();
      });
    this.#inFlight.add(inFlight);
    return true;
  }

  /** What failed alone is tried alone. */
  #take(kind: Kind): readonly Entry[] {
    const batch: Entry[] = [];
    const isApart = kind === 'apart';
    const size = isApart ? 1 : this.#wishedSize(kind);
    let bytes = 0;
    for (const [message, content] of isApart ? this.#setApart.due(this.#now()) : this.#waiting.entries(kind)) {
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
    const sizeLimit = this.#sizeLimit;
    const handOver = (): Promise<void> => this.#log(batch, () => this.#handOver(batch, handle));
    try {
      await withBatchSpan(this.#options, batch, () => this.#metrics.batch(batch.length, handOver));
      // Another that was in flight may have failed meanwhile: this one says nothing of what comes next.
      if (this.#sizeLimit === sizeLimit) {
        this.#failures = 0;
        this.#sizeLimit = Math.min(this.#options.batchSizeMax, sizeLimit * 2);
      }
    } catch (error) {
      this.#failed(batch, toErrorCode(error));
    }
  }

  /** @returns how many were rejected */
  async #handOver(batch: readonly Entry[], handle: HandleBatch): Promise<number> {
    const messages = batch.map(({ message, content }) => toPluginMessage(message, content));
    const verdicts = parseVerdicts(await handle(messages), batch.length);
    let rejected = 0;
    for (const [index, { message }] of batch.entries()) {
      const verdict = verdicts[index];
      if (verdict !== undefined && verdict !== 'accepted') {
        this.#reject(message, verdict.rejected);
        rejected += 1;
      }
      // Gone meanwhile: it was committed, nobody waits for the acknowledgement, and its copy will be recognised.
      if (this.#remove(message)) message.settle();
    }
    return rejected;
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
      const failures = this.#setApart.failuresOf(first.message) + 1;
      const dueAtMs = this.#now() + this.#backOffMs(failures);
      if (this.#remove(first.message)) this.#setApart.add(first.message, { value: first.content, failures, dueAtMs });
      // The database may be away for all: the next message is not tried at once either.
      if (failures === 1) this.#failures += 1;
    }
  }

  #reject(message: IncomingMessage, reason: string): void {
    this.#metrics.rejected(message, toReasonLabel(reason));
  }
}
