/** What a core says of itself on its operations port. */
export interface ReadTelemetry {
  /** Requests to this route in http_server_request_duration_seconds. */
  readonly counted: number;
  /** Series of all metrics. */
  readonly metrics: number;
  /** Traces that it keeps, up to a hundred. */
  readonly traces: number;
}

export async function readTelemetry(ops: string, route: string): Promise<ReadTelemetry> {
  const lines = seriesOf(await (await fetch(`${ops}/metrics`)).text());
  const { traces } = (await (await fetch(`${ops}/traces`)).json()) as { readonly traces: readonly unknown[] };
  const counts = lines.filter(
    (line) => line.startsWith('http_server_request_duration_seconds_count{') && line.includes(`http_route="${route}"`),
  );
  const counted = counts.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  return { counted, metrics: lines.length, traces: traces.length };
}

/** The lines of an exposition that hold a value, one a series. */
export function seriesOf(exposition: string): string[] {
  return exposition.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}
