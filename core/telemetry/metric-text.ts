import type { MetricDefinition } from './catalogue/definition.ts';
import { familyName } from './metric-name.ts';
import type { Labels } from './recorder.ts';

/** The formats in which metrics are read: Prometheus' text 0.0.4 and OpenMetrics 1.0.0, which alone has exemplars. */
export type TextFormat = 'prometheus' | 'openmetrics';

/** `a="1",b="2"`; empty without labels. Both formats write them alike. */
export function toLabelsText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeQuoted(value)}"`)
    .join(',');
}

/** In front of a family's series. */
export function toHeader(definition: MetricDefinition, format: TextFormat): string {
  const { name, type, help } = definition;
  const family = format === 'openmetrics' ? familyName(definition) : name;
  const text = format === 'openmetrics' ? escapeQuoted(help) : escapeLine(help);
  return `# HELP ${family} ${text}\n# TYPE ${family} ${type}`;
}

export function toNumberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}

function escapeLine(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeQuoted(text: string): string {
  return escapeLine(text).replaceAll('"', '\\"');
}
