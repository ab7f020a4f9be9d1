import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { Webhook } from 'standardwebhooks';
import type { Mail, OutgoingMail } from '#plugin-api';
import type { Delivery, OutgoingMessage } from '../../../plugins/notifications/channels/channel.ts';
import { createEmailChannel } from '../../../plugins/notifications/channels/email.ts';
import { createHttpProvider } from '../../../plugins/notifications/channels/http-provider.ts';
import { openChannels } from '../../../plugins/notifications/channels/open-channels.ts';
import { createPushChannel, createSmsChannel } from '../../../plugins/notifications/channels/text-message.ts';
import { readSettings } from '../../../plugins/notifications/settings.ts';

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function startProvider(t: TestContext, answer: (response: ServerResponse, count: number) => unknown) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += String(chunk)));
    request.on('end', () => {
      received.push({ headers: request.headers, body });
      answer(response, received.length);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/messages?key=in-the-url`);
  return { url, received };
}

const message: OutgoingMessage = {
  id: '6f1c2a3e-0000-4000-8000-000000000001',
  recipient: { role: 'customer', id: 'c1' },
  address: '+4915112345678',
  orderId: 'o1',
  template: 'order.started',
  locale: 'en',
  title: 'Your driver is on the way',
  body: 'Have your parcels ready.',
  html: null,
};
const nowMs = Date.parse('2026-05-04T08:00:00Z');
const plain = { token: null, secret: null, timeoutMs: 10_000, now: () => nowMs };

describe('text and push channels', { timeout: 60_000 }, () => {
  it('post JSON with the id as idempotency key and a bearer token', async (t) => {
    const { url, received } = await startProvider(t, (response) => response.writeHead(202).end());
    const provider = createHttpProvider({ ...plain, url, token: 'secret-token' });
    assert.deepEqual(await createSmsChannel(provider).send(message), { kind: 'sent' });
    assert.deepEqual(await createPushChannel(provider).send({ ...message, address: 'token-of-anna' }), {
      kind: 'sent',
    });
    const { id, title, body } = message;
    assert.deepEqual(
      received.map((request) => JSON.parse(request.body) as unknown),
      [
        { id, to: '+4915112345678', text: body },
        { id, to: 'token-of-anna', title, body, data: { orderId: 'o1', template: 'order.started' } },
      ],
    );
    for (const { headers } of received) {
      assert.equal(headers['idempotency-key'], id);
      assert.equal(headers.authorization, 'Bearer secret-token');
      assert.equal(headers['content-type'], 'application/json');
    }
  });

  it('sign each request when there is a secret, so that the provider can check it', async (t) => {
    const { url, received } = await startProvider(t, (response) => response.writeHead(200).end());
    const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
    const channel = createSmsChannel(createHttpProvider({ ...plain, url, secret, now: Date.now }));
    await channel.send(message);
    const [request] = received;
    const verify = (body: string): unknown =>
      new Webhook(secret).verify(body, request?.headers as Record<string, string>);
    assert.ok(verify(request?.body ?? ''));
    assert.throws(() => verify(`${request?.body} `));
    assert.equal(request?.headers['webhook-id'], message.id);
  });

  it('tell refusals from what may be tried again and from what may have been done', async (t) => {
    const answers: readonly (readonly [number, Record<string, string>, string, Delivery])[] = [
      [
        400,
        {},
        '{"code":"invalid_number","message":"+4915112345678 is none"}',
        { kind: 'refused', reason: 'HTTP 400 invalid_number' },
      ],
      [410, {}, 'gone +4915112345678', { kind: 'refused', reason: 'HTTP 410' }],
      [422, {}, '{"code":"+4915112345678"}', { kind: 'refused', reason: 'HTTP 422' }],
      [401, {}, '{"code":"bad_token"}', { kind: 'deferred', reason: 'HTTP 401 bad_token' }],
      [403, {}, '', { kind: 'deferred', reason: 'HTTP 403' }],
      [409, {}, '', { kind: 'deferred', reason: 'HTTP 409' }],
      [429, { 'retry-after': '30' }, '', { kind: 'deferred', reason: 'HTTP 429', retryAfterMs: 30_000 }],
      [429, { 'retry-after': '999999999' }, '', { kind: 'deferred', reason: 'HTTP 429', retryAfterMs: 3_600_000 }],
      [503, { 'retry-after': 'Mon, 04 May 2026 08:00:00 GMT' }, '', { kind: 'deferred', reason: 'HTTP 503' }],
      [301, { location: 'https://evil.example/' }, '', { kind: 'deferred', reason: 'HTTP 301' }],
      [500, {}, '', { kind: 'uncertain', reason: 'HTTP 500' }],
      [502, {}, '', { kind: 'uncertain', reason: 'HTTP 502' }],
    ];
    const { url } = await startProvider(t, (response, count) => {
      const [status, headers, body] = answers[count - 1] ?? [200, {}, ''];
      response.writeHead(status, headers).end(body);
    });
    const channel = createSmsChannel(createHttpProvider({ ...plain, url, token: 'secret-token' }));
    for (const [status, , , delivery] of answers) {
      const seen = await channel.send(message);
      assert.deepEqual(seen, delivery, String(status));
      assert.doesNotMatch(JSON.stringify(seen), /4915112345678|secret|in-the-url/);
    }
  });

  it('do not know what became of a request without an answer', async (t) => {
    const slow = await startProvider(t, () => undefined);
    const cut = await startProvider(t, (response) => response.destroy());
    const send = (url: URL, timeoutMs: number): Promise<Delivery> =>
      createSmsChannel(createHttpProvider({ ...plain, url, timeoutMs })).send(message);
    assert.deepEqual(await send(slow.url, 300), { kind: 'uncertain', reason: 'no answer in time' });
    assert.deepEqual(await send(cut.url, 10_000), { kind: 'uncertain', reason: 'the connection failed' });
    assert.deepEqual(await send(new URL('http://127.0.0.1:1/'), 10_000), {
      kind: 'uncertain',
      reason: 'the connection failed',
    });
    assert.equal(slow.received.length, 1);
  });

  it('wait for a grant that was taken away', async () => {
    const denied = Object.assign(new Error('requires net access'), { code: 'NOT_CAPABLE' });
    const provider = createHttpProvider({
      ...plain,
      url: new URL('https://sms.example/'),
      fetch: () => Promise.reject(denied),
    });
    assert.deepEqual(await provider.post('n1', {}), { kind: 'deferred', reason: 'net is not granted' });
  });
});

describe('createEmailChannel()', () => {
  const mailThat = (send: Mail['send']): Mail => ({ isConfigured: () => Promise.resolve(true), send });
  const fails = (code: string, details: object = {}): Mail =>
    mailThat(() => Promise.reject(Object.assign(new Error(code), { code, details })));

  it('sends the notification under its own id, as text and HTML', async () => {
    const sent: OutgoingMail[] = [];
    const channel = createEmailChannel(
      mailThat((mail) => Promise.resolve(void sent.push(mail)).then(() => ({ messageId: '<x@y.co>' }))),
    );
    const { id, title, body } = message;
    await channel.send({ ...message, address: 'anna@example.com', html: '<p>x</p>', locale: 'de-AT' });
    assert.deepEqual(sent, [
      {
        to: 'anna@example.com',
        subject: title,
        text: body,
        html: '<p>x</p>',
        messageId: id,
        headers: { 'Content-Language': 'de-AT' },
      },
    ]);
  });

  it('knows what each refusal of the core means, and passes on what it does not know', async () => {
    const kinds = {
      MAIL_REFUSED: 'refused',
      NOT_CAPABLE: 'refused',
      INVALID_CALL: 'refused',
      MAIL_DEFERRED: 'deferred',
      MAIL_UNAVAILABLE: 'deferred',
      BUDGET_EXCEEDED: 'deferred',
      MAIL_UNCERTAIN: 'uncertain',
      TIMEOUT: 'uncertain',
    };
    for (const [code, kind] of Object.entries(kinds)) {
      assert.deepEqual(await createEmailChannel(fails(code)).send(message), { kind, reason: code });
    }
    const refused = await createEmailChannel(fails('MAIL_REFUSED', { answer: '550 5.1.1' })).send(message);
    assert.deepEqual(refused, { kind: 'refused', reason: 'MAIL_REFUSED 550 5.1.1' });
    await assert.rejects(createEmailChannel(fails('INTERNAL')).send(message), { code: 'INTERNAL' });
  });
});

describe('openChannels()', () => {
  const environment = {
    NOTIFICATIONS_SMS_URL: 'https://sms.example/messages',
    NOTIFICATIONS_PUSH_URL: 'https://push.example:8443/messages',
  };
  const open = async (mailConfigured: boolean, granted: readonly string[]) => {
    const warnings: unknown[] = [];
    const nothing = (): void => undefined;
    const channels = await openChannels(
      {
        mail: { isConfigured: () => Promise.resolve(mailConfigured), send: () => Promise.reject(new Error('not now')) },
        permissions: { query: ({ resource }) => Promise.resolve(granted.includes(resource) ? 'granted' : 'prompt') },
        log: { debug: nothing, info: nothing, error: nothing, warn: (_text, fields) => void warnings.push(fields) },
      },
      readSettings(environment),
      Date.now,
    );
    return { names: [...channels.keys()], warnings };
  };

  it('opens what is set up and granted, and says what is set up and not granted', async () => {
    assert.deepEqual(await open(true, ['sms.example:443', 'push.example:8443']), {
      names: ['email', 'sms', 'push'],
      warnings: [],
    });
    assert.deepEqual(await open(false, ['push.example:8443']), {
      names: ['push'],
      warnings: [{ channel: 'sms', resource: 'sms.example:443' }],
    });
  });
});
