import type { SpanRecord } from './span-record.ts';

export interface TraceSummary {
  readonly traceId: string;
  /** Of the span that began the trace, or of the oldest that is still here. */
  readonly name: string;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly spans: number;
  readonly errors: number;
}

/** The newest traces first. */
export function toTraceSummaries(spans: readonly SpanRecord[], max: number): readonly TraceSummary[] {
  const traces = Map.groupBy(spans, (span) => span.traceId);
  return [...traces.values()]
    .map(toSummary)
    .toSorted((a, b) => Date.parse(b.startedAt) - Date.parse(a.startedAt))
    .slice(0, max);
}

function toSummary(spans: readonly SpanRecord[]): TraceSummary {
  const byStart = spans.toSorted((a, b) => Date.parse(a.startedAt) - Date.parse(b.startedAt));
  const root = (spans.find((span) => span.parentSpanId === undefined) ?? byStart[0]) as SpanRecord;
  const startMs = Date.parse(byStart[0]?.startedAt ?? root.startedAt);
  const endMs = Math.max(...spans.map((span) => Date.parse(span.startedAt) + span.durationMs));
  return {
    traceId: root.traceId,
    name: root.name,
    startedAt: root.startedAt,
    durationMs: Math.round((endMs - startMs) * 1000) / 1000,
    spans: spans.length,
    errors: spans.filter((span) => span.status === 'error').length,
  };
}

export interface TreeSpan extends SpanRecord {
  /** 0 for a root, or a span whose parent is elsewhere or no longer kept. */
  readonly depth: number;
}

/** The spans of one trace, each parent directly before its children, siblings in the order given. */
export function toTraceTree(spans: readonly SpanRecord[]): readonly TreeSpan[] {
  const ids = new Set(spans.map((span) => span.spanId));
  const parentOf = (span: SpanRecord): string =>
    span.parentSpanId !== undefined && ids.has(span.parentSpanId) ? span.parentSpanId : '';
  const children = Map.groupBy(spans, parentOf);
  const tree: TreeSpan[] = [];
  // A stack, not recursion: a trace can be as deep as it has spans.
  const open = (children.get('') ?? []).map((span) => ({ span, depth: 0 })).toReversed();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { span, depth } = next;
    tree.push({ ...span, depth });
    for (const child of (children.get(span.spanId) ?? []).toReversed()) open.push({ span: child, depth: depth + 1 });
  }
  return tree;
}
