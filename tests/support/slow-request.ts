import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';

export interface SlowRequestOptions {
  readonly url: string;
  readonly token: string;
  readonly body: object;
}

/** A POST whose body has been sent in part: it is in flight until `finish` sends the rest. */
export function beginSlowRequest({ url, token, body }: SlowRequestOptions): {
  finish(): Promise<{ readonly status: number | undefined; readonly body: unknown }>;
} {
  const text = Buffer.from(JSON.stringify(body));
  const sent = request(url, {
    method: 'POST',
    agent: false,
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': text.length,
    },
  });
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
  // Whoever finishes hears of it.
  answered.catch(() => undefined);
  sent.write(text.subarray(0, 10));
  return {
    async finish() {
      sent.end(text.subarray(10));
      const [response] = await answered;
      return { status: response.statusCode, body: await json(response) };
    },
  };
}
