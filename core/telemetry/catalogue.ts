import { cacheMetrics } from './catalogue/cache.ts';
import { databaseMetrics } from './catalogue/database.ts';
import type { MetricDefinition } from './catalogue/definition.ts';
import { httpMetrics } from './catalogue/http.ts';
import { eventMetrics, jobMetrics } from './catalogue/jobs.ts';
import { liveMetrics } from './catalogue/live.ts';
import { mqttMetrics } from './catalogue/mqtt.ts';
import { pluginMetrics } from './catalogue/plugins.ts';
import { postgresMetrics } from './catalogue/postgres.ts';
import { resourceMetrics } from './catalogue/resources.ts';
import { runtimeMetrics } from './catalogue/runtime.ts';
import { telemetryMetrics } from './catalogue/telemetry.ts';

/**
 * Every metric of the core. A metric that is not here cannot be recorded; add it to the area's file.
 *
 * Rules: cumulative counters, never per-scrape values; ratios from 0 to 1; a label's values are bounded (templates, names,
 * outcomes; never ids, paths, SQL or messages); `plugin` is `core` for the core's own work; an empty label is left out.
 */
export const catalogue: readonly MetricDefinition[] = [
  ...httpMetrics,
  ...databaseMetrics,
  ...postgresMetrics,
  ...jobMetrics,
  ...eventMetrics,
  ...mqttMetrics,
  ...liveMetrics,
  ...pluginMetrics,
  ...cacheMetrics,
  ...runtimeMetrics,
  ...resourceMetrics,
  ...telemetryMetrics,
];
