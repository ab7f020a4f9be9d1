import { OpenSpan, recordError } from '#core/telemetry/open-span.ts';

/** A span as a request has one, somebody having waited for it so long, however busy the machine is. */
export async function requestSpan(name: string, waitedMs: number, work: () => Promise<void> | void): Promise<void> {
  const open = new OpenSpan(name, { kind: 'server' });
  try {
    await open.run(work);
  } catch (error) {
    recordError(open.span, error);
    throw error;
  } finally {
    open.end(performance.now(), waitedMs);
  }
}
