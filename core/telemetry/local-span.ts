import {
  SpanStatusCode,
  type Attributes,
  type AttributeValue,
  type Exception,
  type Link,
  type Span,
  type SpanContext,
  type SpanKind,
  type SpanStatus,
  type TimeInput,
} from '@opentelemetry/api';
import { redactAttributes, redactText } from './redaction.ts';
import { spanKindNames, type SpanRecord } from './span-record.ts';

const attributesMax = 64;
const eventsMax = 16;
const linksMax = 32;
const textLengthMax = 1024;
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

export interface LocalSpanOptions {
  readonly name: string;
  readonly context: SpanContext;
  readonly parentSpanId: string | undefined;
  readonly kind: SpanKind;
  readonly attributes: Attributes | undefined;
  readonly links: readonly Link[] | undefined;
  readonly startTime: TimeInput | undefined;
  onEnd(span: LocalSpan): void;
}

/** A span that keeps what it is given, within limits; nearly all is formatted and redacted when somebody reads it. */
export class LocalSpan implements Span {
  readonly #options: LocalSpanOptions;
  readonly #startedAtMs: number;
  #name: string;
  #endedAtMs: number | undefined;
  #attributes: Attributes | undefined;
  /** The attributes given at the start belong to the caller until something is added. */
  #attributesOwned = false;
  /** Of its own attributes. */
  #attributesCount = 0;
  #events: SpanEvent[] | undefined;
  #links: readonly Link[] | undefined;
  #status: SpanStatus | undefined;

  constructor(options: LocalSpanOptions) {
    this.#options = options;
    this.#name = options.name;
    this.#attributes = options.attributes;
    this.#links = options.links;
    this.#startedAtMs = options.startTime === undefined ? now() : toMs(options.startTime);
  }

  get traceId(): string {
    return this.#options.context.traceId;
  }

  spanContext(): SpanContext {
    return this.#options.context;
  }

  get hasFailed(): boolean {
    return this.#status?.code === SpanStatusCode.ERROR;
  }

  isRecording(): boolean {
    return this.#endedAtMs === undefined;
  }

  setAttribute(key: string, value: AttributeValue): this {
    if (this.#endedAtMs !== undefined) return this;
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
    for (const key in attributes) {
      const value = attributes[key];
      if (value !== undefined) this.setAttribute(key, value);
    }
    return this;
  }

  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    if (this.#endedAtMs !== undefined || (this.#events?.length ?? 0) >= eventsMax) return this;
    const given = isTime(attributesOrTime) ? undefined : attributesOrTime;
    const at = isTime(attributesOrTime) ? attributesOrTime : time;
    (this.#events ??= []).push({ name, atMs: at === undefined ? now() : toMs(at), attributes: given ?? {} });
    return this;
  }

  addLink(link: Link): this {
    return this.addLinks([link]);
  }

  addLinks(links: Link[]): this {
    if (this.#endedAtMs === undefined) this.#links = [...(this.#links ?? []), ...links].slice(0, linksMax);
    return this;
  }

  setStatus(status: SpanStatus): this {
    if (this.#endedAtMs === undefined) this.#status = status;
    return this;
  }

  updateName(name: string): this {
    if (this.#endedAtMs === undefined) this.#name = name;
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
    if (this.#endedAtMs !== undefined) return;
    this.#endedAtMs = Math.max(this.#startedAtMs, endTime === undefined ? now() : toMs(endTime));
    for (const key in this.#attributes) {
      const value = this.#attributes[key];
      if (typeof value === 'string' && value.length > textLengthMax) {
        this.#attributes = { ...this.#attributes, [key]: value.slice(0, textLengthMax) };
      }
    }
    this.#options.onEnd(this);
  }

  toRecord(): SpanRecord {
    const { context, parentSpanId, kind } = this.#options;
    return {
      traceId: context.traceId,
      spanId: context.spanId,
      ...(parentSpanId === undefined ? {} : { parentSpanId }),
      name: redactText(this.#name),
      kind: spanKindNames[kind] ?? 'internal',
      startedAt: new Date(this.#startedAtMs).toISOString(),
      durationMs: Math.round(((this.#endedAtMs ?? this.#startedAtMs) - this.#startedAtMs) * 1000) / 1000,
      status: statusNames[this.#status?.code ?? SpanStatusCode.UNSET],
      ...(this.#status?.message === undefined ? {} : { statusMessage: redactText(this.#status.message) }),
      attributes: redactAttributes(this.#attributes ?? {}),
      events: (this.#events ?? []).map(({ name, atMs, attributes }) => ({
        name: redactText(name),
        at: new Date(atMs).toISOString(),
        attributes: redactAttributes(attributes),
      })),
      links: (this.#links ?? []).map((link) => ({ traceId: link.context.traceId, spanId: link.context.spanId })),
    };
  }

  /** For ordering: milliseconds since the epoch, with fractions. */
  get startedAtMs(): number {
    return this.#startedAtMs;
  }
}

/** Milliseconds since the epoch, monotonic within the process. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

function isTime(value: Attributes | TimeInput | undefined): value is TimeInput {
  return typeof value === 'number' || value instanceof Date || Array.isArray(value);
}

function toMs(time: TimeInput): number {
  if (Array.isArray(time)) return time[0] * 1000 + time[1] / 1e6;
  if (time instanceof Date) return time.getTime();
  // OpenTelemetry allows readings of performance.now() as well, which are far smaller than the epoch.
  return time < performance.timeOrigin ? time + performance.timeOrigin : time;
}
