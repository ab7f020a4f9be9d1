import { httpSeconds, type MetricDefinition } from '#core/telemetry/catalogue/definition.ts';
import { describeDefinitionProblem } from '#core/telemetry/metric-name.ts';
import type { MetricDeclaration } from './manifest-schema.ts';

/** A metric that a plugin declares, as the core defines it: with the label `plugin`. */
export function toMetricDefinition(plugin: string, name: string, declaration: MetricDeclaration): MetricDefinition {
  const { type, help, labels, unit, buckets } = declaration;
  const bounds = buckets ?? (type === 'histogram' && name.endsWith('_seconds') ? httpSeconds : undefined);
  return {
    name,
    type,
    help,
    unit: unit ?? unitOf(name),
    labels: [...labels, 'plugin'],
    ...(bounds === undefined ? {} : { buckets: bounds }),
    // Without labels of its own the only label set is known, so it is there before the first event.
    ...(labels.length === 0 ? { initial: [{ plugin }] } : {}),
    owner: plugin,
  };
}

/** What is wrong with a declaration beyond its form; undefined when nothing is. */
export function metricProblem(plugin: string, name: string, declaration: MetricDeclaration): string | undefined {
  const { type, buckets } = declaration;
  if (type !== 'histogram' && buckets !== undefined) return `must have no "buckets": it is a ${type}`;
  const definition = toMetricDefinition(plugin, name, declaration);
  if (type === 'histogram' && definition.buckets === undefined)
    return 'must have "buckets": only those ending in "_seconds" have a default';
  const problem = describeDefinitionProblem(definition);
  return problem === undefined ? undefined : `is no metric: ${problem}`;
}

/** The last word of the name but `_total`: `returnit_orders_value_euros_total` counts euros. */
function unitOf(name: string): string {
  return (
    name
      .replace(/_total$/, '')
      .split('_')
      .at(-1) ?? ''
  );
}
