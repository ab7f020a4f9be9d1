/** A receiver of traces by OTLP/HTTP, as JSON, that keeps what it is sent. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** 2 is a server's, 5 a consumer's. */
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
}

/** The body of a `POST /v1/traces`. */
export interface OtlpExport {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: OtlpSpan['attributes'] };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

/** With the attributes of who sent it. */
export type ReceivedSpan = OtlpSpan & { readonly resource: Readonly<Record<string, string>> };

export interface OtlpReceiver {
  readonly url: string;
  /** `POST /v1/traces` of each request, also of those that were not answered. */
  readonly requests: readonly string[];
  readonly spans: readonly ReceivedSpan[];
  stop(): Promise<void>;
}

/** @param status of the answers; `never`: it takes requests and does not answer */
export async function startOtlpReceiver(status: number | 'never' = 200): Promise<OtlpReceiver> {
  const requests: string[] = [];
  const spans: ReceivedSpan[] = [];
  const server = createServer((request, response) => {
    void receive(request, response);
  });
  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    requests.push(`${request.method} ${request.url}`);
    if (status === 'never') return;
    if (status < 300) spans.push(...toSpans(JSON.parse(body) as OtlpExport));
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    spans,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export function attributesOf(attributes: OtlpSpan['attributes']): Readonly<Record<string, string>> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? '']));
}

export function toSpans({ resourceSpans }: OtlpExport): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const sender = attributesOf(resource.attributes);
    return scopeSpans.flatMap((scope) => scope.spans.map((span) => ({ ...span, resource: sender })));
  });
}
