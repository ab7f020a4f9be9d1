import { randomFillSync } from 'node:crypto';

const poolBytes = 2048;
const invalidSpanId = '0'.repeat(16);
const invalidTraceId = '0'.repeat(32);

/**
 * Random ids of W3C Trace Context in lower-case hex. Random bytes are drawn for hundreds at a time, and an id is a part
 * of their text: it costs no call out of JavaScript.
 */
export function createTraceIds(): { traceId(): string; spanId(): string } {
  const pool = Buffer.allocUnsafe(poolBytes);
  let digits = '';
  let used = 0;

  function next(length: number): string {
    if (used + length > digits.length) {
      digits = randomFillSync(pool).toString('hex');
      used = 0;
    }
    const id = digits.slice(used, used + length);
    used += length;
    // All zeros is the invalid id; it is as likely as any other.
    return id === invalidSpanId || id === invalidTraceId ? next(length) : id;
  }

  return { traceId: () => next(32), spanId: () => next(16) };
}
