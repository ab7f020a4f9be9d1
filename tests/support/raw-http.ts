import { once } from 'node:events';
import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends these bytes and no others, and reads one answer with a `content-length`. */
export async function sendRaw(url: string, request: string, localAddress = '127.0.0.1'): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const socket = connect({ port: Number(port), host: hostname, localAddress }).setEncoding('utf8');
  let received = '';
  try {
    await once(socket, 'connect');
    socket.write(request);
    for (;;) {
      const answer = parse(received);
      if (answer !== undefined) return answer;
      const [chunk] = (await once(socket, 'data', { signal: AbortSignal.timeout(60_000) })) as [string];
      received += chunk;
    }
  } finally {
    // A server that refused before it had read all may reset the connection: the answer is there.
    socket.on('error', () => undefined);
    socket.destroy();
  }
}

function parse(text: string): RawAnswer | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [line = '', ...fields] = text.slice(0, end).split('\r\n');
  const headers = Object.fromEntries(
    fields.map((field) => {
      const colon = field.indexOf(':');
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    }),
  );
  const body = text.slice(end + 4);
  if (Buffer.byteLength(body) < Number(headers['content-length'] ?? 0)) return undefined;
  return { status: Number(line.split(' ')[1]), headers, body };
}
