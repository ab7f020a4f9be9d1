/** A receiver of traces by OTLP/HTTP in a process of its own. It reads what it was sent when it is asked, not while a load runs. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { toSpans, type OtlpExport } from '../../support/otlp-receiver.ts';
import type { SpanCounts } from './span-counter.ts';

/** SPAN_KIND_SERVER of OTLP. */
const serverKind = 2;
let bodies: Buffer[] = [];
const counts = { spans: 0, bytes: 0, served: new Map<string, number>() };

function read(): SpanCounts {
  for (const body of bodies) {
    const spans = toSpans(JSON.parse(body.toString()) as OtlpExport);
    counts.spans += spans.length;
    counts.bytes += body.length;
    for (const { name } of spans.filter(({ kind }) => kind === serverKind)) {
      counts.served.set(name, (counts.served.get(name) ?? 0) + 1);
    }
  }
  bodies = [];
  return { spans: counts.spans, bytes: counts.bytes, served: Object.fromEntries(counts.served) };
}

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  bodies.push(await buffer(request));
  response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
}

const server = createServer((request, response) => {
  void receive(request, response);
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.on('message', () => process.send?.(read()));
process.send?.((server.address() as AddressInfo).port);
