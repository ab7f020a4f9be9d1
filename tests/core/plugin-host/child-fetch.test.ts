import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AppError } from '#core/errors/app-error.ts';
import type { CoreConnection } from '#core/plugin-host/child/core-connection.ts';
import { createFetch } from '#core/plugin-host/child/fetch.ts';
import { NotCapable } from '#core/plugin-host/child/plugin-error.ts';
import type { PluginCalls } from '#core/plugin-host/protocol/calls.ts';

type Args = PluginCalls['net.fetch']['args'];
type Reply = PluginCalls['net.fetch']['result'];

interface Fake {
  readonly fetch: typeof globalThis.fetch;
  readonly sent: Args[];
  /** The body of the last request. */
  body(): string;
  header(name: string): string | undefined;
}

/** The global `fetch` of a plugin before a core that answers with `reply`. */
function fake(reply: Partial<Reply> | ((signal: AbortSignal | undefined) => Promise<never>) = {}): Fake {
  const sent: Args[] = [];
  const call: CoreConnection['call'] = async (method, args, options) => {
    assert.equal(method, 'net.fetch');
    sent.push(args as Args);
    if (typeof reply === 'function') return reply(options?.signal);
    const { body = '', ...rest } = reply;
    return {
      status: 200,
      statusText: 'OK',
      url: (args as Args).url,
      redirected: false,
      headers: [],
      ...rest,
      body: Buffer.from(body).toString('base64'),
    } satisfies Reply;
  };
  const core = { call } as CoreConnection;
  return {
    fetch: createFetch(core),
    sent,
    body: () => Buffer.from(sent.at(-1)?.body ?? '', 'base64').toString(),
    header: (name) => sent.at(-1)?.headers.find(([key]) => key === name)?.[1],
  };
}

const url = 'https://api.example/v1';

async function* chunks(): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode('one,');
  yield new TextEncoder().encode('two');
}

describe('createFetch()', () => {
  const bodies: Record<
    string,
    { body: NonNullable<RequestInit['body']>; text: string; type?: RegExp; duplex?: 'half' }
  > = {
    'a string': { body: 'grüße', text: 'grüße', type: /^text\/plain/ },
    URLSearchParams: { body: new URLSearchParams({ a: '1 2' }), text: 'a=1+2', type: /^application\/x-www-form/ },
    'a Uint8Array': { body: new Uint8Array([104, 105]), text: 'hi' },
    'an ArrayBuffer': { body: new Uint8Array([104, 105]).buffer, text: 'hi' },
    'a Blob': { body: new Blob(['{}'], { type: 'application/json' }), text: '{}', type: /^application\/json/ },
    'a ReadableStream': { body: ReadableStream.from(chunks()), text: 'one,two', duplex: 'half' },
  };
  for (const [name, { body, text, type, duplex }] of Object.entries(bodies)) {
    it(`sends ${name}`, async () => {
      const plugin = fake();
      await plugin.fetch(url, { method: 'POST', body, ...(duplex === undefined ? {} : { duplex }) });
      assert.equal(plugin.body(), text);
      assert.equal(plugin.sent[0]?.method, 'POST');
      if (type !== undefined) assert.match(plugin.header('content-type') ?? '', type);
    });
  }

  it('passes on how much of the answer is wanted, when it is said', async () => {
    const plugin = fake({ body: 'begin' });
    assert.equal(await (await plugin.fetch(url, { responseMaxBytes: 5 })).text(), 'begin');
    await plugin.fetch(url);
    assert.deepEqual(
      plugin.sent.map(({ responseMaxBytes }) => responseMaxBytes),
      [5, undefined],
    );
  });

  it('sends FormData as multipart', async () => {
    const plugin = fake();
    const form = new FormData();
    form.set('file', new Blob(['content']), 'name.txt');
    await plugin.fetch(url, { method: 'POST', body: form });
    assert.match(plugin.header('content-type') ?? '', /^multipart\/form-data; boundary=/);
    assert.match(plugin.body(), /filename="name.txt"[^]*content/);
  });

  it('takes a URL, a Request, and a Request with changes', async () => {
    const plugin = fake();
    await plugin.fetch(new URL(url));
    await plugin.fetch(new Request(url, { method: 'PUT', body: 'x', headers: { 'x-a': '1' } }));
    await plugin.fetch(new Request(url, { method: 'PUT', body: 'x' }), { method: 'DELETE', body: null });
    assert.deepEqual(
      plugin.sent.map(({ method }) => method),
      ['GET', 'PUT', 'DELETE'],
    );
    assert.equal(plugin.sent[0]?.url, url);
    assert.equal('body' in (plugin.sent[0] ?? {}), false);
    assert.deepEqual(plugin.sent[1]?.headers.at(-1), ['x-a', '1']);
  });

  it('hands over the redirect mode', async () => {
    const plugin = fake();
    for (const redirect of ['follow', 'error', 'manual'] as const) await plugin.fetch(url, { redirect });
    assert.deepEqual(
      plugin.sent.map(({ redirect }) => redirect),
      ['follow', 'error', 'manual'],
    );
  });

  it('answers with a standard Response', async () => {
    const { fetch } = fake({
      status: 201,
      statusText: 'Created',
      url: `${url}/moved`,
      redirected: true,
      headers: [
        ['content-type', 'application/json'],
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ],
      body: '{"grüße":[1]}',
    });
    const response = await fetch(url);
    assert.ok(response instanceof Response && response.ok);
    assert.deepEqual([response.status, response.statusText], [201, 'Created']);
    assert.deepEqual([response.url, response.redirected], [`${url}/moved`, true]);
    assert.equal(response.headers.get('content-type'), 'application/json');
    assert.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2']);
    assert.deepEqual(await response.clone().json(), { grüße: [1] });
    assert.equal(Buffer.from(await response.clone().arrayBuffer()).toString(), '{"grüße":[1]}');
    assert.equal(await response.text(), '{"grüße":[1]}');
    assert.equal(response.bodyUsed, true);
  });

  it('streams the body and keeps every byte', async () => {
    const bytes = Buffer.from([0, 255, 254, 10, 13]);
    const { fetch } = fake({ body: bytes as never });
    const read: Buffer[] = [];
    for await (const chunk of (await fetch(url)).body ?? []) read.push(Buffer.from(chunk));
    assert.deepEqual(Buffer.concat(read), bytes);
  });

  it('gives no body where none may be', async () => {
    for (const status of [204, 205, 304]) assert.equal((await fake({ status }).fetch(url)).body, null);
  });

  it('is aborted before it is sent, and while it waits', async () => {
    const waiting = fake(
      (signal) => new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
    );
    const aborted = waiting.fetch(url, { signal: AbortSignal.abort() });
    await assert.rejects(aborted, { name: 'AbortError' });
    assert.equal(waiting.sent.length, 0);
    const controller = new AbortController();
    const reply = waiting.fetch(url, { signal: controller.signal });
    setImmediate(() => controller.abort());
    await assert.rejects(reply, { name: 'AbortError' });
    await assert.rejects(waiting.fetch(url, { signal: AbortSignal.timeout(5) }), { name: 'TimeoutError' });
  });

  it('fails as a TypeError with the cause; denials are passed on as they are', async () => {
    const unreachable = new AppError('TIMEOUT', 'Cannot reach api.example');
    const { fetch } = fake(() => Promise.reject(unreachable));
    await assert.rejects(fetch(url), (error: TypeError) => {
      assert.ok(error instanceof TypeError);
      assert.equal(error.message, 'fetch failed');
      assert.equal(error.cause, unreachable);
      return true;
    });
    const denial = new NotCapable('requires net access');
    await assert.rejects(fake(() => Promise.reject(denial)).fetch(url), denial);
    await assert.rejects(fetch('not a url'), TypeError);
    const withBody: RequestInit = { body: 'x' };
    await assert.rejects(fetch(url, withBody), TypeError);
  });

  /** What Stripe's library does with the fetch it is given. */
  it('serves a payment library: form body, idempotency key, abort by timeout, headers as entries, json', async () => {
    const plugin = fake({
      headers: [
        ['Content-Type', 'application/json'],
        ['Request-Id', 'req_1'],
        ['Stripe-Version', '2026-01-01'],
      ],
      body: '{"id":"pi_1","object":"payment_intent"}',
    });
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), 80_000);
    const headers = new Headers({
      Authorization: 'Bearer sk_test',
      'Content-Type': 'application/x-www-form-urlencoded',
      'Idempotency-Key': 'order-7',
    });
    const response = await plugin.fetch('https://api.stripe.com/v1/payment_intents', {
      method: 'POST',
      headers,
      body: 'amount=100&currency=eur',
      signal: abort.signal,
    });
    clearTimeout(timer);
    const received: Record<string, string> = {};
    for (const [name, value] of response.headers) received[name] = value;
    assert.deepEqual(received, Object.fromEntries(response.headers.entries()));
    assert.deepEqual(received, {
      'content-type': 'application/json',
      'request-id': 'req_1',
      'stripe-version': '2026-01-01',
    });
    assert.deepEqual(await response.json(), { id: 'pi_1', object: 'payment_intent' });
    assert.equal(plugin.body(), 'amount=100&currency=eur');
    assert.equal(plugin.header('idempotency-key'), 'order-7');
    assert.equal(plugin.header('content-type'), 'application/x-www-form-urlencoded');

    await plugin.fetch('https://api.stripe.com/v1/payment_intents/pi_1/cancel', { method: 'POST', headers, body: '' });
    assert.equal(plugin.sent.at(-1)?.body, '', 'a POST without data has an empty body, not none');
  });
});
