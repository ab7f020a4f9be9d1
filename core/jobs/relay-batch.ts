/** One step of the relay: rows leave the outbox and enter the queues in the same transaction, or neither. */
import type pg from 'pg';
import type { JobInsert, PgBoss } from 'pg-boss';
import type { SendOptions } from '#plugin-api';
import { invalidationChannel, toChangePayload } from '#core/cache/invalidation.ts';
import { onClient } from './boss.ts';
import type { Handover } from './handover.ts';
import type { EventEnvelope, JobEnvelope, StoredEvent } from './job-envelope.ts';
import { notify, type Notification } from './listener.ts';
import { eventQueue } from './queue-names.ts';
import type { Queues } from './queues.ts';
import { toReadyNotification } from './ready.ts';
import type { Seal } from './seal.ts';
import { findSubscriptions, type Subscription } from './subscriptions.ts';

export interface OutboxRow {
  readonly position: string;
  readonly id: string;
  readonly plugin: string;
  readonly kind: 'event' | 'job';
  readonly name: string;
  readonly data: string;
  readonly options: string;
  readonly traceparent: string | null;
  readonly seal: Buffer;
  /** The role that was logged in when the row was written. */
  readonly role: string;
  readonly created_at: Date;
}

/** The core sealed it. */
type GenuineRow = Omit<OutboxRow, 'data'> & { readonly data: Readonly<Record<string, unknown>> };

export interface BatchDeps {
  readonly boss: PgBoss;
  readonly queues: Queues;
  readonly seal: Seal;
  /** This node's. */
  readonly nodeId: string;
}

export interface Batch {
  readonly rows: number;
  readonly moved: readonly Pick<OutboxRow, 'plugin' | 'kind' | 'name'>[];
  readonly forged: readonly OutboxRow[];
  /** Queues in which a new job waits for whoever has a place. */
  readonly ready: readonly string[];
}

export interface BatchOptions {
  readonly limit: number;
  readonly handover: Handover;
}

const takeRows = `delete from returnit.outbox
  where position in (select position from returnit.outbox order by position limit $1 for update skip locked)
  returning position, id, plugin, kind, name, data, options, traceparent, seal, role, created_at`;

const rejectRow = `insert into returnit.outbox_rejected
  (position, id, plugin, kind, name, data, options, role, reason, created_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`;

/** Moves up to `limit` rows; the caller commits, and then begins what was handed over. */
export async function moveBatch(
  client: pg.ClientBase,
  deps: BatchDeps,
  { limit, handover }: BatchOptions,
): Promise<Batch> {
  const { rows } = await client.query<OutboxRow>(takeRows, [limit]);
  if (rows.length === 0) return { rows: 0, moved: [], forged: [], ready: [] };
  // DELETE returns rows in no order; a plugin's events go out as they came in.
  rows.sort((a, b) => (BigInt(a.position) < BigInt(b.position) ? -1 : 1));
  const genuine: GenuineRow[] = [];
  const forged: OutboxRow[] = [];
  for (const row of rows) {
    if (deps.seal.verify(row, row.seal)) genuine.push(toGenuine(row));
    else forged.push(row);
  }
  for (const row of forged) await reject(client, row, 'forged');
  const events = genuine.filter((row) => row.kind === 'event');
  const subscriptions = await findSubscriptions(client, [...new Set(events.map((row) => row.name))]);
  const ready: string[] = [];
  for (const [queue, jobs] of groupByQueue(genuine, subscriptions)) {
    await deps.queues.ensure(queue);
    await deps.boss.insert(queue, jobs, { db: onClient(client) });
    const ids = jobs.flatMap(({ id, startAfter }) => (startAfter === undefined && id !== undefined ? [id] : []));
    if (await handover.claim(client, queue, ids)) ready.push(queue);
  }
  await notify(client, [
    ...events.map((row) => toChangeNotification(row)),
    ...ready.map((queue) => toReadyNotification(deps.nodeId, queue)),
  ]);
  return { rows: rows.length, moved: genuine, forged, ready };
}

/** Sets the oldest row aside; for one that the queues refuse. */
export async function rejectOldest(client: pg.ClientBase, reason: string): Promise<OutboxRow | undefined> {
  const { rows } = await client.query<OutboxRow>(takeRows, [1]);
  const [row] = rows;
  if (row === undefined) return undefined;
  await reject(client, row, reason);
  // What it tells of has happened: only its delivery is refused.
  if (row.kind === 'event') await notify(client, [toChangeNotification(toGenuine(row))]);
  return row;
}

async function reject(client: pg.ClientBase, row: OutboxRow, reason: string): Promise<void> {
  const { position, id, plugin, kind, name, data, options, role, created_at } = row;
  await client.query(rejectRow, [position, id, plugin, kind, name, data, options, role, reason, created_at]);
}

function toGenuine(row: OutboxRow): GenuineRow {
  return { ...row, data: JSON.parse(row.data) as GenuineRow['data'] };
}

function groupByQueue(
  rows: readonly GenuineRow[],
  subscriptions: ReadonlyMap<string, readonly Subscription[]>,
): ReadonlyMap<string, JobInsert[]> {
  const jobs = new Map<string, Map<string, JobInsert>>();
  // Of several with one key in a batch the first counts; an insert of all of them would keep any.
  const add = (queue: string, job: JobInsert & { readonly singletonKey: string }): void => {
    const known = jobs.getOrInsertComputed(queue, () => new Map());
    if (!known.has(job.singletonKey)) known.set(job.singletonKey, job);
  };
  for (const row of rows) {
    if (row.kind === 'job') {
      add(row.name, toJob(row));
      continue;
    }
    for (const { plugin, having } of subscriptions.get(row.name) ?? []) {
      if (having === null || (row.data[having] ?? null) !== null) add(eventQueue(plugin, row.name), toDelivery(row));
    }
  }
  return new Map([...jobs].map(([queue, byKey]) => [queue, [...byKey.values()]]));
}

function toJob(row: GenuineRow): JobInsert & { readonly singletonKey: string } {
  const { startAfterSeconds, singletonKey, retryLimit } = JSON.parse(row.options) as SendOptions;
  const envelope: JobEnvelope = { data: row.data, traceparent: row.traceparent };
  return {
    id: row.id,
    data: envelope,
    singletonKey: singletonKey ?? row.id,
    ...(startAfterSeconds === undefined ? {} : { startAfter: startAfterSeconds }),
    ...(retryLimit === undefined ? {} : { retryLimit }),
  };
}

function toDelivery(row: GenuineRow): JobInsert & { readonly singletonKey: string } {
  const event: StoredEvent = {
    id: row.id,
    name: row.name,
    data: row.data,
    publishedBy: row.plugin,
    publishedAt: row.created_at.toISOString(),
  };
  const envelope: EventEnvelope = { data: event, traceparent: row.traceparent };
  // The event's id is the job's as well: a queue cannot hold the same delivery twice.
  return { id: row.id, data: envelope, singletonKey: row.id };
}

function toChangeNotification(row: GenuineRow): Notification {
  return { channel: invalidationChannel, payload: toChangePayload(row) };
}
