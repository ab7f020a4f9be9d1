import { performance } from 'node:perf_hooks';
import {
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Attributes,
  type AttributeValue,
  type Exception,
  type Link,
  type Span,
  type SpanContext,
  type SpanOptions,
  type SpanStatus,
  type TimeInput,
} from '@opentelemetry/api';
import { redactAttributes, redactText } from './redaction.ts';
import { spanKindNames, type SpanRecord } from './span-record.ts';
import type { Keepable } from './span-ring.ts';
import { SpanIds, type TraceIds } from './trace-ids.ts';

const attributesMax = 64;
const eventsMax = 16;
const linksMax = 32;
const textLengthMax = 1024;
/** What a reading of `performance.now()` is added to for the time of day; reading it is a call out of JavaScript. */
const originMs = performance.timeOrigin;
const statusNames = {
  [SpanStatusCode.UNSET]: 'unset',
  [SpanStatusCode.OK]: 'ok',
  [SpanStatusCode.ERROR]: 'error',
} as const;

interface SpanEvent {
  readonly name: string;
  readonly atMs: number;
  readonly attributes: Attributes;
}

/** Where spans begin, and where they end. */
export interface SpanSource {
  readonly ids: TraceIds;
  ended(span: LocalSpan): void;
}

/**
 * A span that keeps what it is given, within limits; nearly all is formatted and redacted when somebody reads it. It is
 * its own context, too: every request makes one, and few are ever read.
 */
export class LocalSpan extends SpanIds implements Span, SpanContext, Keepable<LocalSpan> {
  readonly traceFlags = TraceFlags.SAMPLED;
  readonly #source: SpanSource;
  #parentSpanId: string | undefined;
  #name: string;
  #kind: SpanKind = SpanKind.INTERNAL;
  #startedAtMs = Number.NaN;
  /** Not a number until it has ended. */
  #endedAtMs = Number.NaN;
  #attributes: Attributes | undefined;
  /** The attributes belong to who gave them until something is added. */
  #attributesOwned = false;
  /** Of its own attributes. */
  #attributesCount = 0;
  #events: SpanEvent[] | undefined;
  #links: readonly Link[] | undefined;
  #status: SpanStatus | undefined;

  constructor(source: SpanSource, name: string, parent: SpanContext | undefined) {
    super(source.ids, parent?.traceId);
    this.#source = source;
    this.#name = name;
    this.#parentSpanId = parent?.spanId;
  }

  /** Makes it what the caller of a tracer asks for. */
  begin({ kind, attributes, links, startTime }: SpanOptions): this {
    this.#kind = kind ?? SpanKind.INTERNAL;
    this.#attributes = attributes;
    this.#links = links;
    this.#startedAtMs = startTime === undefined ? performance.now() : toMs(startTime);
    return this;
  }

  copy(): LocalSpan {
    const copy = new LocalSpan(this.#source, this.#name, undefined);
    copy.become(this);
    return copy;
  }

  /** Of one that has ended: to whom its attributes belong is of no account. */
  become(other: LocalSpan): void {
    this.takeIds(other);
    this.#parentSpanId = other.#parentSpanId;
    this.#name = other.#name;
    this.#kind = other.#kind;
    this.#startedAtMs = other.#startedAtMs;
    this.#endedAtMs = other.#endedAtMs;
    this.#attributes = other.#attributes;
    this.#events = other.#events;
    this.#links = other.#links;
    this.#status = other.#status;
  }

  spanContext(): SpanContext {
    return this;
  }

  get hasFailed(): boolean {
    return this.#status?.code === SpanStatusCode.ERROR;
  }

  isRecording(): boolean {
    return Number.isNaN(this.#endedAtMs);
  }

  setAttribute(key: string, value: AttributeValue): this {
    if (!this.isRecording()) return this;
    if (!this.#attributesOwned) {
      this.#attributes = { ...this.#attributes };
      this.#attributesCount = Object.keys(this.#attributes).length;
      this.#attributesOwned = true;
    }
    const attributes = this.#attributes as Attributes;
    if (key in attributes) {
      attributes[key] = value;
    } else if (this.#attributesCount < attributesMax) {
      this.#attributesCount += 1;
      attributes[key] = value;
    }
    return this;
  }

  setAttributes(attributes: Attributes): this {
    if (this.#attributes === undefined && this.isRecording()) {
      this.#attributes = attributes;
      return this;
    }
    for (const key in attributes) {
      const value = attributes[key];
      if (value !== undefined) this.setAttribute(key, value);
    }
    return this;
  }

  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    if (!this.isRecording() || (this.#events?.length ?? 0) >= eventsMax) return this;
    const given = isTime(attributesOrTime) ? undefined : attributesOrTime;
    const at = isTime(attributesOrTime) ? attributesOrTime : time;
    (this.#events ??= []).push({
      name,
      atMs: at === undefined ? performance.now() : toMs(at),
      attributes: given ?? {},
    });
    return this;
  }

  addLink(link: Link): this {
    return this.addLinks([link]);
  }

  addLinks(links: Link[]): this {
    if (this.isRecording()) this.#links = [...(this.#links ?? []), ...links].slice(0, linksMax);
    return this;
  }

  setStatus(status: SpanStatus): this {
    if (this.isRecording()) this.#status = status;
    return this;
  }

  updateName(name: string): this {
    if (this.isRecording()) this.#name = name;
    return this;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    const { name, message, stack } =
      typeof exception === 'string' ? { name: 'Error', message: exception, stack: undefined } : exception;
    this.addEvent(
      'exception',
      {
        'exception.type': name ?? 'Error',
        'exception.message': redactText(message ?? ''),
        ...(stack === undefined ? {} : { 'exception.stacktrace': redactText(stack) }),
      },
      time,
    );
  }

  end(endTime?: TimeInput): void {
    if (!this.isRecording()) return;
    this.#endedAtMs = Math.max(this.#startedAtMs, endTime === undefined ? performance.now() : toMs(endTime));
    for (const key in this.#attributes) {
      const value = this.#attributes[key];
      if (typeof value === 'string' && value.length > textLengthMax) {
        this.#attributes = { ...this.#attributes, [key]: value.slice(0, textLengthMax) };
      }
    }
    this.#source.ended(this);
  }

  toRecord(): SpanRecord {
    const { traceId, spanId } = this;
    const parentSpanId = this.#parentSpanId;
    return {
      traceId,
      spanId,
      ...(parentSpanId === undefined ? {} : { parentSpanId }),
      name: redactText(this.#name),
      kind: spanKindNames[this.#kind] ?? 'internal',
      startedAt: new Date(originMs + this.#startedAtMs).toISOString(),
      durationMs: this.isRecording() ? 0 : Math.round((this.#endedAtMs - this.#startedAtMs) * 1000) / 1000,
      status: statusNames[this.#status?.code ?? SpanStatusCode.UNSET],
      ...(this.#status?.message === undefined ? {} : { statusMessage: redactText(this.#status.message) }),
      attributes: redactAttributes(this.#attributes ?? {}),
      events: (this.#events ?? []).map(({ name, atMs, attributes }) => ({
        name: redactText(name),
        at: new Date(originMs + atMs).toISOString(),
        attributes: redactAttributes(attributes),
      })),
      links: (this.#links ?? []).map((link) => ({ traceId: link.context.traceId, spanId: link.context.spanId })),
    };
  }

  /** For ordering: on the clock of `performance.now()`. */
  get startedAtMs(): number {
    return this.#startedAtMs;
  }
}

function isTime(value: Attributes | TimeInput | undefined): value is TimeInput {
  return typeof value === 'number' || value instanceof Date || Array.isArray(value);
}

/** On the clock of `performance.now()`, of whose readings OpenTelemetry allows as well; they are far smaller than the epoch. */
function toMs(time: TimeInput): number {
  if (typeof time === 'number') return time < originMs ? time : time - originMs;
  return (Array.isArray(time) ? time[0] * 1000 + time[1] / 1e6 : time.getTime()) - originMs;
}
