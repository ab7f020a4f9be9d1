import { startTracing, type Tracing } from '#core/telemetry/tracing.ts';

/** Keeps spans in memory, as a core does without a receiver. */
export function startTestTracing(): Promise<Tracing> {
  return startTracing({ otlpEndpoint: null, tracesKept: 1000, version: '0', environment: 'test', region: 'test' });
}
