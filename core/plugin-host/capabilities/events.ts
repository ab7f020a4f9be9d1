import { randomUUIDv7 } from 'node:crypto';
import { Type } from 'typebox';
import type { Invalidations } from '#core/cache/invalidation.ts';
import type { Config } from '#core/config/settings.ts';
import type { Transactions } from '#core/database/transactions.ts';
import { AppError } from '#core/errors/app-error.ts';
import { takeFromInbox } from '#core/jobs/inbox.ts';
import type { StoredEvent } from '#core/jobs/job-envelope.ts';
import type { JobSystem } from '#core/jobs/job-system.ts';
import { eventPattern, eventQueue, nameLengthMax } from '#core/jobs/queue-names.ts';
import { createSlots, type Slots } from '#core/jobs/slots.ts';
import { addSubscription, keepSubscriptions } from '#core/jobs/subscriptions.ts';
import type { WorkerHandle } from '#core/jobs/worker.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { idsOf } from '#core/telemetry/wide-event.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import { method, type Capability } from '../capability.ts';
import { writeOutbox } from './write-outbox.ts';

export interface EventsCapabilityOptions {
  readonly jobs: Pick<JobSystem, 'outbox' | 'pool' | 'work'>;
  readonly transactions: Pick<Transactions, 'begin' | 'use' | 'onCommit' | 'commit' | 'rollback'>;
  /** Told of what is published, so that nothing is answered that it has made untrue. */
  readonly invalidations: Pick<Invalidations, 'published'>;
  /** Requests that somebody waits for an answer to. @default none */
  readonly requestsWaiting?: () => number;
  readonly config: Pick<Config, 'jobTimeoutMs' | 'eventConcurrency'>;
  readonly telemetry: Telemetry;
}

export interface EventsCapability extends Capability {
  /** To be called when a plugin is ready: ends the subscriptions of earlier versions that it did not make again. */
  settle(instance: PluginInstance): Promise<void>;
}

const Event = Type.String({ pattern: eventPattern, maxLength: nameLengthMax });
const PublishArgs = Type.Object(
  { event: Event, data: Type.Object({}), tx: Type.Optional(Type.String({ maxLength: 100 })) },
  { additionalProperties: false },
);
const OnArgs = Type.Object(
  {
    event: Event,
    handler: Type.Integer({ minimum: 0 }),
    having: Type.Optional(Type.String({ minLength: 1, maxLength: nameLengthMax })),
  },
  { additionalProperties: false },
);

/** Between the handler's deadline and the end of its transaction. */
const transactionSlackMs = 5000;

/** Events of plugins: published through the outbox, handled in a transaction that also records the event's id. */
export function createEventsCapability(options: EventsCapabilityOptions): EventsCapability {
  const { jobs, config, requestsWaiting = () => 0 } = options;
  const subscriptions = new WeakMap<PluginInstance, { slots: Slots; workers: Map<string, WorkerHandle> }>();

  /**
   * For all events of a process: each delivery holds a connection of the plugin's few. Nobody waits for a delivery as one
   * waits for an answer, so each request that is under way takes a place of every plugin, down to one.
   */
  function createPlaces(): Slots {
    const max = config.eventConcurrency;
    return createSlots(max, () => Math.max(1, max - requestsWaiting()));
  }

  async function on(instance: PluginInstance, { event, handler, having }: Subscription): Promise<void> {
    const plugin = instance.plugin.name;
    const held = subscriptions.get(instance) ?? { slots: createPlaces(), workers: new Map() };
    subscriptions.set(instance, held);
    await addSubscription(jobs.pool, { plugin, event, having: having ?? null });
    const worker = await jobs.work({
      queue: eventQueue(plugin, event),
      plugin,
      slots: held.slots,
      gone: instance.gone,
      handle: ({ data }) => deliver(options, { instance, handler, event: data as StoredEvent }),
      describe: describeEvent,
    });
    const earlier = held.workers.get(event);
    held.workers.set(event, worker);
    if (earlier !== undefined) void earlier.stop();
  }

  return {
    name: 'events',
    methods: {
      publish: method<Published>({
        args: PublishArgs,
        access: ({ event }) => [{ permission: 'events', resource: `publish ${event}` }],
        async run(published, { instance, signal }) {
          await publish(options, published, { instance, signal });
          return null;
        },
      }),
      on: method<Subscription>({
        args: OnArgs,
        access: ({ event }) => [{ permission: 'events', resource: `subscribe ${event}` }],
        async run(subscription, { instance }) {
          await on(instance, subscription);
          return null;
        },
      }),
    },
    async settle(instance) {
      const events = [...(subscriptions.get(instance)?.workers.keys() ?? [])];
      await keepSubscriptions(jobs.pool, instance.plugin.name, events);
    },
  };
}

interface Subscription {
  readonly event: string;
  readonly handler: number;
  readonly having?: string;
}

interface Published {
  readonly event: string;
  readonly data: object;
  readonly tx?: string;
}

async function publish(
  options: EventsCapabilityOptions,
  { event: name, data, tx }: Published,
  { instance, signal }: { readonly instance: PluginInstance; readonly signal: AbortSignal },
): Promise<void> {
  const published = { id: randomUUIDv7(), name, data };
  const entry = { ...published, plugin: instance.plugin.name, kind: 'event' } as const;
  const over = (): void => options.invalidations.published(published);
  await writeOutbox(options, entry, { instance, tx, signal, over });
}

interface Delivery {
  readonly instance: PluginInstance;
  readonly handler: number;
  readonly event: StoredEvent;
}

function describeEvent(stored: unknown): Readonly<Record<string, unknown>> {
  // Whatever else was put into the queue has no form.
  const { name, id, data } = (stored ?? {}) as Partial<StoredEvent>;
  return { ...idsOf(data), event: name, eventId: id };
}

/**
 * Handler and inbox commit together. A crash between the commit and the settling of the job brings the event again, and
 * the inbox then says that it has been handled.
 */
async function deliver(
  options: EventsCapabilityOptions,
  { instance, handler, event }: Delivery,
): Promise<Readonly<Record<string, unknown>>> {
  const { transactions, config } = options;
  const { metrics } = options.telemetry;
  const labels = { plugin: instance.plugin.name, event: event.name };
  let outcome = 'failed';
  try {
    const timeoutMs = config.jobTimeoutMs + transactionSlackMs;
    const tx = await transactions.begin(instance, { timeoutMs, signal: instance.gone });
    try {
      const isFirst = await transactions.use(instance, tx, (client) => takeFromInbox(client, event.id));
      if (isFirst) await instance.handle(handler, { event, tx }, { timeoutMs: config.jobTimeoutMs });
      await transactions.commit(instance, tx);
      outcome = isFirst ? 'handled' : 'duplicate';
    } catch (error) {
      await transactions.rollback(instance, tx).catch((rollbackError: unknown) => {
        throw new AppError('DATABASE_ERROR', `Cannot roll back the handling of "${event.name}"`, {
          cause: new AggregateError([error, rollbackError]),
        });
      });
      throw error;
    }
  } finally {
    metrics.counter('returnit_events_delivered_total').inc({ ...labels, outcome });
    if (outcome === 'duplicate') metrics.counter('returnit_inbox_duplicates_total').inc({ plugin: labels.plugin });
  }
  const lagSeconds = (Date.now() - Date.parse(event.publishedAt)) / 1000;
  if (outcome === 'handled')
    metrics.histogram('returnit_event_delivery_lag_seconds').observe(labels, Math.max(0, lagSeconds));
  return { delivery: outcome };
}
