import type { MetricDefinition } from './catalogue/definition.ts';

const reservedLabels = new Set(['le', 'quantile', 'job', 'instance']);
const labelsMax = 8;
const bucketsMax = 30;

/** The name under which OpenMetrics groups a metric's series: a counter's without `_total`. */
export function familyName(definition: Pick<MetricDefinition, 'name' | 'type'>): string {
  return definition.type === 'counter' ? definition.name.replace(/_total$/, '') : definition.name;
}

/** What is wrong with a metric that a plugin declares, or undefined. The rules are those of `promtool check metrics`. */
export function describeDefinitionProblem(definition: MetricDefinition): string | undefined {
  const { name, type, labels, buckets } = definition;
  if (!/^returnit_[a-z][a-z0-9_]{0,100}$/.test(name)) {
    return 'a name is "returnit_" and up to 100 lower-case letters, digits and underscores';
  }
  if ((type === 'counter') !== name.endsWith('_total'))
    return 'the name of a counter, and of nothing else, ends in "_total"';
  const suffix = /_(bucket|count|sum|created|info)$/.exec(familyName(definition))?.[0];
  if (suffix !== undefined) return `a name must not end in "${suffix}", which Prometheus reserves`;
  if (definition.help.trim() === '') return 'it needs a help text';
  if (labels.length > labelsMax) return `at most ${labelsMax} labels: it has ${labels.length}`;
  if (new Set(labels).size < labels.length) return 'a label stands in it twice';
  const label = labels.find((candidate) => !/^[a-z][a-z0-9_]*$/.test(candidate) || reservedLabels.has(candidate));
  if (label !== undefined) return `"${label}" cannot be a label`;
  return type === 'histogram' ? describeBucketsProblem(buckets ?? []) : undefined;
}

function describeBucketsProblem(buckets: readonly number[]): string | undefined {
  if (buckets.length === 0 || buckets.length > bucketsMax)
    return `a histogram has 1 to ${bucketsMax} buckets: it has ${buckets.length}`;
  const ascending = buckets.every(
    (bound, index) => Number.isFinite(bound) && (index === 0 || bound > (buckets[index - 1] as number)),
  );
  return ascending ? undefined : 'buckets must be finite and ascend';
}
