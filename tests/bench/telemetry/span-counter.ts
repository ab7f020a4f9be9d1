import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

/** Of all that was received since the start. */
export interface SpanCounts {
  readonly spans: number;
  /** Of the bodies. */
  readonly bytes: number;
  /** Spans of requests that the sender answered, by the span's name. */
  readonly served: Readonly<Record<string, number>>;
}

export interface SpanCounter {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  read(): Promise<SpanCounts>;
  stop(): Promise<void>;
}

/** Starts a receiver of traces in a process of its own, which takes all that it is sent and counts it. */
export async function startSpanCounter(): Promise<SpanCounter> {
  const child = fork(path.join(import.meta.dirname, 'span-counter-child.ts'), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [port] = (await once(child, 'message')) as [number];
  return {
    url: `http://127.0.0.1:${port}`,
    async read() {
      child.send('read');
      const [counts] = (await once(child, 'message')) as [SpanCounts];
      return counts;
    },
    async stop() {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    },
  };
}
