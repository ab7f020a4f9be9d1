import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '#core/config/settings.ts';
import { resourceUnits } from './catalogue/resources.ts';
import { readText } from './cgroup-files.ts';
import type { Metrics } from './metrics.ts';

type ResourceConfig = Pick<
  Config,
  | 'dataDir'
  | 'resourceComputeCores'
  | 'resourceMemoryBytes'
  | 'resourceDatabaseBytes'
  | 'resourceBandwidthBytes'
  | 'resourceStorageBytes'
>;

/** Shows the budgets, and reads what is used of those that nothing else reads; returns the function that ends this. */
export function collectResources(metrics: Metrics, config: ResourceConfig, root = '/'): () => void {
  const limits = {
    compute: config.resourceComputeCores,
    memory: config.resourceMemoryBytes,
    database: config.resourceDatabaseBytes,
    bandwidth: config.resourceBandwidthBytes,
    storage: config.resourceStorageBytes,
  };
  for (const resource of Object.keys(resourceUnits) as (keyof typeof resourceUnits)[]) {
    if (limits[resource] === 0) continue;
    metrics.gauge('returnit_resource_limit').set({ resource, unit: resourceUnits[resource] }, limits[resource]);
  }
  return metrics.onCollect(async () => {
    const sent = readSentBytes((await readText(join(root, 'proc/net/dev'))) ?? '');
    if (sent !== undefined) metrics.counter('returnit_network_sent_bytes_total').advanceTo({}, sent);
    const { blocks, bfree, bavail, bsize } = await statfs(config.dataDir);
    metrics.gauge('returnit_storage_used_bytes').set({}, (blocks - bfree) * bsize);
    // Not what is kept for root.
    metrics.gauge('returnit_storage_free_bytes').set({}, bavail * bsize);
  });
}

/** Column of the bytes sent, after the interface's name. */
const sentColumn = 8;

/** Of all interfaces but the loopback, after Linux' `/proc/net/dev`. Undefined where there is none. */
function readSentBytes(text: string): number | undefined {
  const sent = text.split('\n').flatMap((line) => {
    const [, name, columns] = /^\s*([^:\s]+):\s*(\d.*)$/.exec(line) ?? [];
    return name === undefined || name === 'lo' ? [] : [Number(columns?.split(/\s+/)[sentColumn])];
  });
  return sent.length === 0 ? undefined : sent.reduce((sum, bytes) => sum + bytes, 0);
}
