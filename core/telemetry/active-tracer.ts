import { context, trace, type Context, type Tracer, type TracerProvider } from '@opentelemetry/api';
import type { TailSampler } from './tail-sampler.ts';
import { TraceContext } from './trace-context.ts';

/** The process's tracer, and what decides which of its spans are kept. */
export interface ActiveTracer {
  readonly tracer: Tracer;
  readonly context: TraceContext;
  readonly sampler: Pick<TailSampler<never>, 'begin' | 'handOut' | 'unitOf' | 'decide' | 'end'>;
}

let active: ActiveTracer | undefined;

/** Undefined while nothing is traced. */
export function activeTracer(): ActiveTracer | undefined {
  return active;
}

/** As OpenTelemetry's own, which looks for its manager each time. */
export function activeContext(): Context {
  return active === undefined ? context.active() : active.context.active();
}

/** Makes it OpenTelemetry's, too. @returns undoes that */
export function installTracer(provider: TracerProvider, sampler: ActiveTracer['sampler']): () => void {
  const manager = new TraceContext();
  manager.enable();
  context.setGlobalContextManager(manager);
  trace.setGlobalTracerProvider(provider);
  const installed = { tracer: provider.getTracer('returnit'), context: manager, sampler };
  active = installed;
  return () => {
    if (active === installed) active = undefined;
    trace.disable();
    context.disable();
  };
}
