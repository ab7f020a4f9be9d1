import type { HandlerTrace as RealTrace } from '#core/telemetry/handler-trace.ts';

/** Of a handler that nobody follows. */
export class HandlerTrace implements Pick<RealTrace, 'traceparent' | 'continue' | 'end'> {
  readonly traceparent = '';

  continue(traceparent: string): string {
    return traceparent;
  }

  end(): void {
    // Nothing was begun.
  }
}

export function handlerTrace(): undefined {
  return undefined;
}
