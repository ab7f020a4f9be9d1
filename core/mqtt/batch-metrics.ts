import { performance } from 'node:perf_hooks';
import { toErrorCode } from '#core/errors/app-error.ts';
import type { Counter, Gauge, Histogram, Metrics } from '#core/telemetry/metrics.ts';
import { refusals } from './batch-handling.ts';
import { lanes, type FairQueue } from './fair-queue.ts';
import type { IncomingMessage } from './incoming-message.ts';

/** What is counted of one subscription. Labels name its filter, never a topic. */
export class BatchMetrics {
  readonly #labels: Readonly<Record<string, string>>;
  /** By quality of service: labels made for each message cost more than what is counted. */
  readonly #labelsByQos: readonly Readonly<Record<string, string>>[];
  readonly #received: Counter;
  readonly #rejected: Counter;
  readonly #retries: Counter;
  readonly #batchSize: Histogram;
  readonly #duration: Histogram;
  readonly #lastMessage: Gauge;
  readonly #waiting: Gauge;
  #lastMessageSeconds = 0;

  constructor(metrics: Metrics, subscription: { readonly plugin: string; readonly filter: string }) {
    this.#labels = { plugin: subscription.plugin, messaging_destination_template: subscription.filter };
    this.#labelsByQos = ['0', '1', '2'].map((qos) => ({ ...this.#labels, qos }));
    this.#received = metrics.counter('returnit_mqtt_messages_received_total');
    this.#rejected = metrics.counter('returnit_mqtt_messages_rejected_total');
    this.#retries = metrics.counter('returnit_mqtt_batch_retries_total');
    this.#batchSize = metrics.histogram('returnit_mqtt_batch_size');
    this.#duration = metrics.histogram('messaging_process_duration_seconds');
    this.#waiting = metrics.gauge('returnit_mqtt_waiting_messages');
    this.#lastMessage = metrics.gauge('returnit_mqtt_last_message_timestamp_seconds');
    // Why a plugin refuses a message is its own affair, and not known before.
    for (const qos of ['0', '1'])
      for (const reason of refusals) this.#rejected.inc({ ...this.#labels, qos, reason }, 0);
  }

  received(message: IncomingMessage): void {
    this.#received.inc(this.#labelsByQos[message.qos]);
    // Whole seconds are enough to see that messages have stopped.
    const seconds = Math.floor(message.receivedAtMs / 1000);
    if (seconds === this.#lastMessageSeconds) return;
    this.#lastMessageSeconds = seconds;
    this.#lastMessage.set({}, seconds);
  }

  rejected(message: IncomingMessage, reason: string): void {
    this.#rejected.inc({ ...this.#labels, qos: String(message.qos), reason });
  }

  retried(): void {
    this.#retries.inc(this.#labels);
  }

  waiting(queue: Pick<FairQueue<unknown>, 'sizeOf'>): void {
    for (const lane of lanes) this.#waiting.set({ ...this.#labels, lane }, queue.sizeOf(lane));
  }

  /** In the batch's span: its trace leads from the duration to the batch. */
  async batch(size: number, work: () => Promise<void>): Promise<void> {
    const startedAt = performance.now();
    this.#batchSize.observe(this.#labels, size);
    let errorType = '';
    try {
      await work();
    } catch (error) {
      errorType = toErrorCode(error);
      throw error;
    } finally {
      const seconds = (performance.now() - startedAt) / 1000;
      this.#duration.observe({ ...this.#labels, messaging_system: 'mqtt', error_type: errorType }, seconds);
    }
  }
}
