import { randomFillSync } from 'node:crypto';

/** For 64 spans: a span that is kept keeps their text. */
const poolBytes = 1536;
const traceIdDigits = 32;
const spanIdDigits = 16;
const digitsTaken = traceIdDigits + spanIdDigits;
const invalidTraceId = '0'.repeat(traceIdDigits);
const invalidSpanId = '0'.repeat(spanIdDigits);

/**
 * Random ids of W3C Trace Context in lower-case hex. Random bytes are drawn for many at a time, and an id is a part
 * of their text, which is cut out when somebody asks for it: most are never read.
 */
export class TraceIds {
  #digits = '';
  #used = 0;

  /** In which the newest ids stand. */
  get digits(): string {
    return this.#digits;
  }

  /** @returns where in `digits` a new trace id begins, and behind it a span id */
  next(): number {
    if (this.#used + digitsTaken > this.#digits.length) {
      this.#digits = randomFillSync(Buffer.allocUnsafe(poolBytes)).toString('hex');
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += digitsTaken;
    // All zeros is the invalid id; it is as likely as any other.
    return isInvalid(this.#digits, at) ? this.next() : at;
  }
}

/** @param at as `next()` has told */
export function traceIdAt(digits: string, at: number): string {
  return digits.slice(at, at + traceIdDigits);
}

/** @param at as `next()` has told */
export function spanIdAt(digits: string, at: number): string {
  return digits.slice(at + traceIdDigits, at + digitsTaken);
}

function isInvalid(digits: string, at: number): boolean {
  return begins(digits, invalidTraceId, at) || begins(digits, invalidSpanId, at + traceIdDigits);
}

/** The first digit mostly tells. */
function begins(digits: string, zeros: string, at: number): boolean {
  return digits[at] === '0' && digits.startsWith(zeros, at);
}
