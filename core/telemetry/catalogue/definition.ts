/** One metric as data. Dashboards, alerts, documents and tests are checked against these. */
export interface MetricDefinition {
  /** `returnit_<noun>_<unit>[_total]`, or the OpenTelemetry name with underscores. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** `seconds`, `bytes`, `cores`, `boolean`, or the noun that is counted. */
  readonly unit: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram; each alert threshold must be one of them. */
  readonly buckets?: readonly number[];
  /** Label sets that exist from the start, at 0: the first error must be visible to `increase()`. */
  readonly initial?: readonly Readonly<Record<string, string>>[];
  /** The folder of the core, or the plugin, that records it. */
  readonly owner: string;
  /** Keep the trace id of the newest observation of each bucket. */
  readonly exemplars?: boolean;
  /**
   * A label whose values the core knows (a plugin's name). One value of it may fill half of the metric's label sets at
   * most, and keeps its name when the rest becomes `other`: no plugin can push the others out.
   */
  readonly partition?: string;
}

/** OpenTelemetry's advice for `http.server.request.duration`; holds the slow-request threshold of 1 s. */
export const httpSeconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] as const;

/** Answers: from an error to a whole export. */
export const bodyBytes = [100, 1000, 10_000, 100_000, 1_000_000, 10_000_000] as const;

/** OpenTelemetry's advice for `db.client.operation.duration`; holds the slow-query threshold of 0.5 s. */
export const databaseSeconds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10] as const;

/** Up to the longest wait for a connection that the configuration allows by default. */
export const acquireSeconds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 30, 60, 120] as const;

/** Background work: from a quick job to a quarter of an hour. */
export const jobSeconds = [0.05, 0.1, 0.5, 1, 5, 15, 30, 60, 300, 900] as const;

/** In-process steps, where 150 µs is a target. */
export const callSeconds = [
  0.00005, 0.0001, 0.00015, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10,
] as const;

/** One initial label set for each value of one label. */
export function each(label: string, values: readonly string[]): readonly Readonly<Record<string, string>>[] {
  return values.map((value) => ({ [label]: value }));
}
