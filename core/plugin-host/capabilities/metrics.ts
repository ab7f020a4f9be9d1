import { Type, type Static } from 'typebox';
import type { Labels, Metrics } from '#core/telemetry/metrics.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { method, type Capability } from '../capability.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { toMetricDefinition } from '../manifest/manifest-metrics.ts';
import type { MetricDeclaration } from '../manifest/manifest-schema.ts';

const RecordArgs = Type.Object(
  {
    kind: Type.Enum(['increment', 'set', 'observe']),
    name: Type.String({ maxLength: 200 }),
    value: Type.Number(),
    labels: Type.Record(Type.String(), Type.String({ maxLength: 200 })),
  },
  { additionalProperties: false },
);

type RecordCall = Static<typeof RecordArgs>;

export interface MetricsCapabilityOptions {
  readonly telemetry: Telemetry;
  /** Their declared metrics are defined at once, so that each is exported before its first value. */
  readonly plugins: readonly Pick<Manifest, 'name' | 'metrics'>[];
}

const kindOf = { counter: 'increment', gauge: 'set', histogram: 'observe' } as const;
const warningsMax = 1000;

/**
 * `ctx.metrics`: what the manifest declares, with the label `plugin` added. Anything else is dropped and counted, and
 * the plugin's log says what is wrong once.
 *
 * @throws {AppError} INVALID_MANIFEST when a declaration clashes with another metric
 */
export function createMetricsCapability(options: MetricsCapabilityOptions): Capability {
  const { telemetry } = options;
  const refused = telemetry.metrics.counter('returnit_plugin_metric_records_refused_total');
  const declared = new Map(options.plugins.map(({ name, metrics }) => [name, new Map(Object.entries(metrics))]));
  const warned = new Set<string>();
  for (const plugin of options.plugins) {
    for (const [name, declaration] of Object.entries(plugin.metrics)) {
      telemetry.metrics.define(toMetricDefinition(plugin.name, name, declaration));
    }
  }

  function refuse(plugin: string, name: string, what: string): void {
    refused.inc({ plugin });
    const key = `${plugin} ${name} ${what}`;
    if (warned.has(key) || warned.size >= warningsMax) return;
    warned.add(key);
    telemetry.logger.warn({ plugin, metric: name }, `Cannot record the metric "${name}": ${what}`);
  }

  return {
    name: 'metrics',
    methods: {
      record: method<RecordCall>({
        args: RecordArgs,
        oneWay: true,
        run: (call, { instance }) => {
          const plugin = instance.plugin.name;
          const declaration = declared.get(plugin)?.get(call.name);
          const problem =
            declaration === undefined ? 'plugin.json does not declare it' : findProblem(declaration, call);
          if (problem !== undefined) refuse(plugin, call.name, problem);
          else record(telemetry.metrics, call, { ...call.labels, plugin });
        },
      }),
    },
  };
}

function findProblem(declaration: MetricDeclaration, { kind, value, labels }: RecordCall): string | undefined {
  const right = kindOf[declaration.type];
  if (kind !== right) return `it is a ${declaration.type}, which takes ${right}(), not ${kind}()`;
  const given = Object.keys(labels).toSorted().join(', ');
  const expected = declaration.labels.toSorted().join(', ');
  if (given !== expected) return `its labels must be (${expected}): they are (${given})`;
  if (!Number.isFinite(value)) return 'its value must be finite';
  return kind === 'increment' && value < 0 ? 'a counter cannot go down' : undefined;
}

function record(metrics: Metrics, { kind, name, value }: RecordCall, labels: Labels): void {
  if (kind === 'increment') metrics.counter(name).inc(labels, value);
  else if (kind === 'set') metrics.gauge(name).set(labels, value);
  else metrics.histogram(name).observe(labels, value);
}
