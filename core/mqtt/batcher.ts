import type { Telemetry } from '#core/telemetry/telemetry.ts';
import type { HandleBatch } from './batch-handling.ts';
import type { FairQueueOptions } from './fair-queue.ts';
import type { MessageSink } from './transport.ts';

export interface BatchWishes {
  readonly batchSizeMax: number;
  readonly batchWaitMs: number;
  /** Batches that the plugin takes at a time: another one of a lane is handed over while one is stored, if it is full. @default 1 */
  readonly batchesMax?: number;
  /** Whether the plugin also wants what it cannot be handed as a message, to reject it in its own way. @default false */
  readonly handOverRefused?: boolean;
}

export interface BatcherOptions extends Omit<FairQueueOptions, 'now'> {
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
  /** Part of the time in which backlogs are handled while prompt messages come. */
  readonly backlogShare: number;
  /** Messages of a backlog in one batch meanwhile. */
  readonly sharedBatchSizeMax: number;
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
