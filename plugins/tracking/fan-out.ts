import type { PluginContext } from '#plugin-api';
import type { ArrivalTimes } from './arrival-times.ts';
import type { Eta } from './eta.ts';
import type { MovedPosition } from './store/fixes.ts';
import { channelOf, toShown, type StoredPosition } from './visibility.ts';

/** Publishes under way at a time; the rest of a batch waits. */
const publishesMax = 64;

/** After this without a position a driver counts as back: orders that wait for one are worth another look. */
const silenceMs = 5 * 60_000;

export interface FanOutOptions {
  readonly arrivalTimes: ArrivalTimes;
  readonly now: () => number;
}

/**
 * Tells those who watch, after the commit. Nothing here fails the batch: its fixes are stored, and the next position
 * makes up for one that was not shown.
 */
export async function publishMoved(
  ctx: PluginContext,
  moved: readonly MovedPosition[],
  { arrivalTimes, now }: FanOutOptions,
): Promise<void> {
  for (const position of moved) arrivalTimes.observe(position.driverId, toStored(position));
  const underway = moved.flatMap((position) =>
    position.orderIds.map((orderId) => ({ orderId, driverId: position.driverId, position: toStored(position) })),
  );
  // Who watches must not wait for a routing engine.
  const etas = await arrivalTimes.of(underway, { patient: false });
  const publishes = moved.flatMap((position) =>
    position.orderIds.map(
      (orderId) => () => publishPosition(ctx, orderId, { position, eta: etas.get(orderId) ?? null, nowMs: now() }),
    ),
  );
  const driverIds = moved.filter(isBack).map(({ driverId }) => driverId);
  // Should this be lost: an order without a driver is tried again by its own job within a minute.
  if (driverIds.length > 0) publishes.push(() => ctx.events.publish('driver.located', { driverIds }));
  let failed = 0;
  for (let start = 0; start < publishes.length; start += publishesMax) {
    const results = await Promise.allSettled(publishes.slice(start, start + publishesMax).map((publish) => publish()));
    failed += results.filter((result) => result.status === 'rejected').length;
  }
  const done = publishes.length - failed;
  if (done > 0) ctx.metrics.increment('returnit_tracking_publishes_total', { outcome: 'done' }, done);
  if (failed > 0) {
    ctx.metrics.increment('returnit_tracking_publishes_total', { outcome: 'failed' }, failed);
    ctx.log.warn('positions were stored but not published', { failed, done });
  }
}

function isBack({ recordedAt, previousRecordedAt }: MovedPosition): boolean {
  return previousRecordedAt === null || Date.parse(recordedAt) - Date.parse(previousRecordedAt) > silenceMs;
}

function toStored({ lat, lon, recordedAt, accuracyM, speedMps, headingDeg }: MovedPosition): StoredPosition {
  return { lat, lon, recordedAt, accuracyM, speedMps, headingDeg };
}

interface Publish {
  readonly position: MovedPosition;
  readonly eta: Eta | null;
  readonly nowMs: number;
}

function publishPosition(ctx: PluginContext, orderId: string, { position, eta, nowMs }: Publish): Promise<void> {
  // Batches end in any order; by its version the channel, too, moves only forward in fix time.
  return ctx.live.publish(
    channelOf(orderId),
    { orderId, ...toShown(toStored(position), { eta, nowMs }) },
    { version: Date.parse(position.recordedAt) },
  );
}
