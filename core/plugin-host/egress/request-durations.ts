import type { Dispatcher } from 'undici';
import { toMethodLabel } from '#core/telemetry/http-method.ts';
import type { Metrics } from '#core/telemetry/metrics.ts';
import { portOf } from './pinned-agent.ts';

export interface RequestDurationsOptions {
  readonly metrics: Pick<Metrics, 'histogram'>;
  /** What a plugin's manifest asks for, as `host:port` and patterns. */
  readonly hostsOf: (plugin: string) => readonly string[];
}

export interface OutgoingRequest {
  readonly plugin: string;
  readonly method: string;
  readonly url: URL;
}

type Send = () => Promise<Dispatcher.ResponseData>;

/** Sends a request and records how long its answer, or its failure, took. What is refused before it is sent is none. */
export type Measure = (request: OutgoingRequest, send: Send) => Promise<Dispatcher.ResponseData>;

export function createRequestDurations({ metrics, hostsOf }: RequestDurationsOptions): Measure {
  const durations = metrics.histogram('http_client_request_duration_seconds');

  /** Of a pattern there are endless hosts: those of all partners' webhooks. */
  function addressOf({ plugin, url }: OutgoingRequest): string {
    return hostsOf(plugin).includes(`${url.hostname}:${portOf(url)}`) ? url.hostname : 'other';
  }

  return async (request, send) => {
    const startMs = performance.now();
    const record = (status: string, errorType: string): void =>
      durations.observe(
        {
          plugin: request.plugin,
          http_request_method: toMethodLabel(request.method),
          server_address: addressOf(request),
          http_response_status_code: status,
          error_type: errorType,
        },
        (performance.now() - startMs) / 1000,
      );
    try {
      const response = await send();
      const { statusCode } = response;
      record(String(statusCode), statusCode >= 400 ? String(statusCode) : '');
      return response;
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      if (code !== 'NOT_CAPABLE') record('', typeof code === 'string' ? code : 'FETCH_FAILED');
      throw error;
    }
  };
}
