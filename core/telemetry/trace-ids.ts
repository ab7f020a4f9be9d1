import { randomFillSync } from 'node:crypto';

const poolBytes = 8192;
const invalidSpanId = '0'.repeat(16);
const invalidTraceId = '0'.repeat(32);

/** Random ids of W3C Trace Context in lower-case hex. Random bytes are drawn for hundreds at a time. */
export function createTraceIds(): { traceId(): string; spanId(): string } {
  const pool = Buffer.allocUnsafe(poolBytes);
  let used = poolBytes;

  function next(bytes: number): string {
    if (used + bytes > poolBytes) {
      randomFillSync(pool);
      used = 0;
    }
    const id = pool.toString('hex', used, used + bytes);
    used += bytes;
    // All zeros is the invalid id; it is as likely as any other.
    return id === invalidSpanId || id === invalidTraceId ? next(bytes) : id;
  }

  return { traceId: () => next(16), spanId: () => next(8) };
}
