import { each, httpSeconds, type MetricDefinition } from '#core/telemetry/catalogue/definition.ts';
import { describeDefinitionProblem } from '#core/telemetry/metric-name.ts';
import type { MetricDeclaration } from './manifest-schema.ts';

/** Label sets that a declaration may have at 0 from the start. */
const initialMax = 100;

/** A metric that a plugin declares, as the core defines it: with the label `plugin`. */
export function toMetricDefinition(plugin: string, name: string, declaration: MetricDeclaration): MetricDefinition {
  const { type, help, labels, unit, buckets, values } = declaration;
  const isKnown = labels.length === 0 || values !== undefined;
  const bounds = buckets ?? (type === 'histogram' && name.endsWith('_seconds') ? httpSeconds : undefined);
  return {
    name,
    type,
    help,
    unit: unit ?? unitOf(name),
    labels: [...labels, 'plugin'],
    ...(bounds === undefined ? {} : { buckets: bounds }),
    // From a latency to a trace that took as long.
    ...(type === 'histogram' && name.endsWith('_seconds') ? { exemplars: true } : {}),
    // What is known is there before the first event: `increase()` does not see a series that begins at 1. Of a gauge 0 would
    // be a claim.
    ...(isKnown && !(type === 'gauge' && labels.length > 0) ? { initial: combine(values ?? {}, plugin) } : {}),
    owner: plugin,
  };
}

/** Every set of one value a label, with the plugin. */
function combine(
  values: Readonly<Record<string, readonly string[]>>,
  plugin: string,
): NonNullable<MetricDefinition['initial']> {
  return Object.entries(values).reduce(
    (sets, [label, all]) => sets.flatMap((set) => each(label, all).map((one) => ({ ...set, ...one }))),
    [{ plugin }] as NonNullable<MetricDefinition['initial']>,
  );
}

/** What is wrong with a declaration beyond its form; undefined when nothing is. */
export function metricProblem(plugin: string, name: string, declaration: MetricDeclaration): string | undefined {
  const { type, buckets } = declaration;
  if (type !== 'histogram' && buckets !== undefined) return `must have no "buckets": it is a ${type}`;
  const valuesProblem = describeValues(declaration);
  if (valuesProblem !== undefined) return valuesProblem;
  const definition = toMetricDefinition(plugin, name, declaration);
  if (type === 'histogram' && definition.buckets === undefined)
    return 'must have "buckets": only those ending in "_seconds" have a default';
  const problem = describeDefinitionProblem(definition);
  return problem === undefined ? undefined : `is no metric: ${problem}`;
}

function describeValues({ type, labels, values }: MetricDeclaration): string | undefined {
  if (values === undefined) return undefined;
  if (type === 'gauge') return 'must have no "values": a gauge that nobody has set says nothing';
  const named = Object.keys(values);
  if (named.toSorted().join() !== labels.toSorted().join())
    return `must have "values" of each of its labels (${labels.join(', ')}), and of no other: they are of (${named.join(', ')})`;
  const sets = Object.values(values).reduce((product, { length }) => product * length, 1);
  return sets > initialMax ? `must have at most ${initialMax} sets of "values": they make ${sets}` : undefined;
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
