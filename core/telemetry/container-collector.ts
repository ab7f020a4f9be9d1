import { readContainer, type ReadContainerOptions } from './container-reading.ts';
import type { Metrics } from './metrics.ts';

/** Reads the container's CPU and memory before each scrape; returns the function that ends this. */
export function collectContainer(metrics: Metrics, options: ReadContainerOptions = {}): () => void {
  const info = metrics.gauge('returnit_container_info');
  let infoLabels: Record<string, string> | undefined;

  return metrics.onCollect(async () => {
    const reading = await readContainer(options);
    metrics.counter('returnit_container_cpu_usage_seconds_total').advanceTo({}, reading.cpuUsageSeconds);
    metrics.counter('returnit_container_cpu_throttled_seconds_total').advanceTo({}, reading.cpuThrottledSeconds);
    metrics.counter('returnit_container_oom_kills_total').advanceTo({}, reading.oomKills);
    metrics.gauge('returnit_container_cpu_limit_cores').set({}, reading.cpuLimitCores);
    metrics.gauge('returnit_container_memory_working_set_bytes').set({}, reading.memoryWorkingSetBytes);
    metrics.gauge('returnit_container_memory_limit_bytes').set({}, reading.memoryLimitBytes);
    // A limit can be changed while the container runs.
    if (infoLabels !== undefined) info.remove(infoLabels);
    infoLabels = {
      cgroup_version: reading.cgroupVersion,
      cpu_limit_source: reading.cpuLimitSource,
      memory_limit_source: reading.memoryLimitSource,
    };
    info.set(infoLabels, 1);
  });
}
