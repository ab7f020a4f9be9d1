/** What every benchmark reports: ours, the baseline measured in the same run, and their ratio. */
export interface BenchResult {
  readonly bench: string;
  readonly unit: string;
  readonly ours: number;
  readonly baseline: number;
  readonly ratio: number;
  readonly figures: Readonly<Record<string, number>>;
  /** @default [] */
  readonly verdicts?: readonly Verdict[];
}

/** Whether a figure is what it should be. */
export interface Verdict {
  readonly what: string;
  readonly value: number;
  readonly holds: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}

/** From 0 to 100, of sorted values. */
export function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
}

export function formatResult(result: BenchResult): string {
  const figures = Object.entries(result.figures).map(([name, value]) => `  ${name.padEnd(36)} ${format(value)}`);
  const verdicts = (result.verdicts ?? []).map(
    ({ what, value, holds }) => `  ${holds ? 'holds ' : 'FAILS '} ${what}: ${format(value)}`,
  );
  return [
    `${result.bench}: ${format(result.ours)} ${result.unit}, baseline ${format(result.baseline)}, ratio ${result.ratio.toFixed(2)}`,
    ...figures,
    ...verdicts,
    '',
  ].join('\n');
}

function format(value: number): string {
  return Number.isInteger(value) || Math.abs(value) >= 1000
    ? Math.round(value).toLocaleString('en-US')
    : value.toFixed(3);
}
