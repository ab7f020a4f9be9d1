import { randomFillSync } from 'node:crypto';

/** For 512 spans: asking for random bytes costs more than the bytes do. */
const randomBytes = 12_288;
/** Of these, what is text at a time, for 64 spans: a span that is kept keeps their text. */
const textBytes = 1536;
const traceIdDigits = 32;
const spanIdDigits = 16;
const digitsTaken = traceIdDigits + spanIdDigits;
/** All zeros is the invalid id, of a span and, twice as long, of a trace. */
const invalid = '0'.repeat(spanIdDigits);

/**
 * Random ids of W3C Trace Context in lower-case hex. Random bytes are drawn for many at a time, and an id is a part
 * of their text, which is cut out when somebody asks for it: most are never read.
 */
export class TraceIds {
  readonly #random = Buffer.alloc(randomBytes);
  #randomUsed = randomBytes;
  #digits = '';
  #used = 0;

  /** In which the newest ids stand. */
  get digits(): string {
    return this.#digits;
  }

  /** @returns where in `digits` a new trace id begins, and behind it a span id */
  next(): number {
    if (this.#used + digitsTaken > this.#digits.length) {
      this.#digits = this.#nextDigits();
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += digitsTaken;
    return at;
  }

  #nextDigits(): string {
    if (this.#randomUsed === randomBytes) {
      randomFillSync(this.#random);
      this.#randomUsed = 0;
    }
    const from = this.#randomUsed;
    this.#randomUsed += textBytes;
    const digits = this.#random.toString('hex', from, this.#randomUsed);
    return digits.includes(invalid) ? this.#nextDigits() : digits;
  }
}

/** The ids of one span. */
export class SpanIds {
  /** In which they stand. */
  #digits: string;
  #at: number;
  /** Of the trace that the span goes on with. */
  #parentTraceId: string | undefined;

  constructor(ids: TraceIds, parentTraceId: string | undefined) {
    this.#at = ids.next();
    this.#digits = ids.digits;
    this.#parentTraceId = parentTraceId;
  }

  get traceId(): string {
    return this.#parentTraceId ?? this.#digits.slice(this.#at, this.#at + traceIdDigits);
  }

  get spanId(): string {
    return this.#digits.slice(this.#at + traceIdDigits, this.#at + digitsTaken);
  }

  protected takeIds(other: SpanIds): void {
    this.#digits = other.#digits;
    this.#at = other.#at;
    this.#parentTraceId = other.#parentTraceId;
  }
}
