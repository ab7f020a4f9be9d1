import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { until } from './until.ts';

export interface LiveValue {
  readonly type: 'snapshot' | 'change' | 'closed' | 'refused';
  readonly channel?: string;
  readonly data?: { readonly lat: number; readonly lon: number; readonly recordedAt: string; readonly orderId: string };
  readonly reason?: string;
}

/** A client that watches one channel and keeps what it was sent. */
export interface LiveClient {
  readonly values: readonly LiveValue[];
  /** True when the server has ended the stream. */
  readonly ended: boolean;
  /** The first value of this type, or for which this holds; waits for it. */
  next(wanted: LiveValue['type'] | ((value: LiveValue) => boolean)): Promise<LiveValue>;
  close(): void;
}

export interface WatchOptions {
  /** Of the API. */
  readonly url: string;
  readonly token: string;
  readonly channel: string;
}

function createLiveClient(values: readonly LiveValue[], hasEnded: () => boolean, close: () => void): LiveClient {
  return {
    values,
    get ended() {
      return hasEnded();
    },
    async next(wanted) {
      const matches = typeof wanted === 'string' ? (value: LiveValue) => value.type === wanted : wanted;
      return until(`${typeof wanted === 'string' ? wanted : 'a value'} arrives`, () => values.find(matches));
    },
    close,
  };
}

/** As a program does: the token in a header. */
export async function watchBySocket({ url, token, channel }: WatchOptions): Promise<LiveClient> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/live`, { headers: { authorization: `Bearer ${token}` } });
  const values: LiveValue[] = [];
  let ended = false;
  socket.on('message', (data: Buffer) => values.push(JSON.parse(data.toString()) as LiveValue));
  socket.on('close', () => (ended = true));
  await once(socket, 'open');
  socket.send(JSON.stringify({ watch: channel }));
  return createLiveClient(
    values,
    () => ended,
    () => socket.terminate(),
  );
}

/** As `curl -N` does. */
export async function watchByEvents({ url, token, channel }: WatchOptions): Promise<LiveClient> {
  const abort = new AbortController();
  const response = await fetch(`${url}/live/${channel}`, {
    headers: { authorization: `Bearer ${token}` },
    signal: abort.signal,
  });
  if (response.status !== 200) {
    const { detail: reason } = (await response.json()) as { detail: string };
    return createLiveClient(
      [{ type: 'refused', channel, reason }],
      () => true,
      () => undefined,
    );
  }
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  const values: LiveValue[] = [];
  let ended = false;
  void readEvents(response, values).then(
    () => (ended = true),
    () => (ended = true), // closed by the test
  );
  return createLiveClient(
    values,
    () => ended,
    () => abort.abort(),
  );
}

async function readEvents(response: Response, values: LiveValue[]): Promise<void> {
  let text = '';
  assert.ok(response.body !== null);
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const event = /^(?:id: \d+\n|retry: \d+\n)*event: (\w+)\ndata: (.*)$/.exec(text.slice(0, end));
      text = text.slice(end + 2);
      if (event === null) continue;
      values.push({ type: event[1], ...(JSON.parse(event[2] ?? '') as object) } as LiveValue);
    }
  }
}
