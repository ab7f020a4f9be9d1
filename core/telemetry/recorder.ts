import type { Span } from '@opentelemetry/api';

export type Labels = Readonly<Record<string, string>>;

/** `with(labels)`: the same for one label set, which is found once. It does not exist before its first value. */
export interface Counter {
  /** @param by at least 0; 0 makes the label set visible before its first event. @default 1 */
  inc(labels?: Labels, by?: number): void;
  with(labels: Labels): { inc(by?: number): void };
  /** Raises the counter to a total that is counted elsewhere (the kernel, V8); a smaller total changes nothing. */
  advanceTo(labels: Labels, total: number): void;
  /** Forgets a label set whose subject is no longer followed. */
  remove(labels: Labels): void;
}

export interface Gauge {
  set(labels: Labels, value: number): void;
  add(labels: Labels, by: number): void;
  with(labels: Labels): { add(by: number): void };
  /** Forgets a label set whose subject is gone. */
  remove(labels: Labels): void;
}

export interface Histogram {
  /** The trace id of the active span becomes the bucket's exemplar where the catalogue says so. */
  observe(labels: Labels, value: number): void;
  /** @param span - in which it was. @default the active one */
  with(labels: Labels): { observe(value: number, span?: Span): void };
}
