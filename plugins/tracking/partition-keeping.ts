import type { PluginContext } from '#plugin-api';
import { daysToMake, oldestDayToKeep } from './retention.ts';
import { countPartitions, dropOldestPartition, makePartitions } from './store/partitions.ts';

export interface PartitionKeepingOptions {
  readonly nowMs: number;
  readonly retentionMs: number;
  readonly signal: AbortSignal;
}

/**
 * Makes the partitions of the coming days and drops those that are over. Run it as often as you like and on several
 * nodes at once; a day that is still missing when a fix comes is made by the fix.
 */
export async function keepPartitions(
  { db, metrics, log }: Pick<PluginContext, 'db' | 'metrics' | 'log'>,
  { nowMs, retentionMs, signal }: PartitionKeepingOptions,
): Promise<void> {
  try {
    await makePartitions(db, daysToMake(nowMs));
    const keptFrom = oldestDayToKeep(nowMs, retentionMs);
    for (;;) {
      signal.throwIfAborted();
      const day = await dropOldestPartition(db, keptFrom);
      if (day === null) break;
      metrics.increment('returnit_tracking_partitions_dropped_total');
      log.info('partition dropped: its day is past retention', { day, keptFrom });
    }
    await showPartitions({ db, metrics });
  } catch (error) {
    metrics.increment('returnit_tracking_partition_failures_total');
    throw error;
  }
}

/** Shows the days that are kept: the same on every node. */
export async function showPartitions({ db, metrics }: Pick<PluginContext, 'db' | 'metrics'>): Promise<void> {
  const { count, oldestDay } = await countPartitions(db);
  metrics.set('returnit_tracking_partitions', count);
  if (oldestDay === null) return;
  metrics.set('returnit_tracking_oldest_day_timestamp_seconds', Date.parse(`${oldestDay}T00:00:00Z`) / 1000);
}
