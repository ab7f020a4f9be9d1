/** Text and push messages of a real order by real providers, from the sandbox: the grant, the plugin's fetch, and each once. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { book, placeOf } from '../support/journey.ts';
import { patient } from '../support/patient.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { until } from '../support/until.ts';

// The loopback address is this process' own; the port is one that the manifest asks for.
const host = `127.86.${(process.pid >> 8) & 255}.${process.pid & 255 || 1}`;
const port = 8443;
const secret = `whsec_${Buffer.alloc(24, 9).toString('base64')}`;
const environment = {
  NOTIFICATIONS_SMS_URL: `http://${host}:${port}/sms`,
  NOTIFICATIONS_SMS_TOKEN: 'token-of-the-sms-provider',
  NOTIFICATIONS_PUSH_URL: `http://${host}:${port}/push`,
  NOTIFICATIONS_PUSH_SECRET: secret,
  NOTIFICATIONS_RETRY_SECONDS: '1',
};

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly raw: string;
  readonly message: Readonly<Record<string, unknown>>;
}

interface Delivered {
  readonly notificationId: string;
  readonly channel: string;
  readonly state: string;
  readonly attempts: number;
}

describe('text and push messages on a platform', { timeout: 300_000 }, () => {
  let server: Server;
  let platform: TestPlatform;
  const received: Received[] = [];
  /** What the providers answer next to a message for this one; then, and to all others, 202. */
  const answers: Record<string, number[]> = {};

  before(async () => {
    server = createServer((request, response) => void take(request, response)).listen(port, host);
    await once(server, 'listening');
    Object.assign(process.env, environment);
    // With a copy of the project the optional is granted as well: the providers' hosts.
    platform = await startPlatform({
      fixtures: [],
      config: { ...patient, plugins: ['orders', 'payments', 'notifications'] },
    });
    await platform.reached('notifications', 'ready');
  });
  after(async () => {
    for (const name of Object.keys(environment)) delete process.env[name];
    await platform?.stop();
    server.closeAllConnections();
    server.close();
  });

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url: path = '', headers } = request;
    const raw = await text(request);
    const message = JSON.parse(raw) as Received['message'];
    received.push({ path, headers, raw, message });
    response.writeHead(answers[String(message['to'])]?.shift() ?? 202).end();
  }

  async function bookFor(name: string, place: number, preferences: object): Promise<readonly Delivered[]> {
    const customer = await platform.as('customer', name);
    await customer.ok('PUT', '/notifications/preferences', preferences);
    const { orderId } = await book(customer, placeOf(place));
    const ops = await platform.as('ops', 'kim');
    return until('what there is to tell of the booking is sent', async () => {
      const page = await ops.ok<{ notifications: Delivered[] }>('GET', `/notifications?orderId=${orderId}`);
      const { notifications } = page;
      return notifications.length >= 2 && notifications.every(({ state }) => state === 'sent') && notifications;
    });
  }
  const sentTo = (to: string): readonly Received[] => received.filter(({ message }) => message['to'] === to);

  it('reach the providers that the operator has granted, with what each is to be told', async () => {
    const preferences = {
      phone: '+4915112345678',
      pushToken: 'token-of-anna',
      locale: 'de-AT',
      channels: { booking: { sms: 'on' } },
    };
    const delivered = await bookFor('anna', 1, preferences);
    const [sms, push] = [sentTo('+4915112345678'), sentTo('token-of-anna')];
    const idsOf = (channel: string): string[] =>
      delivered.flatMap((each) => (each.channel === channel ? [each.notificationId] : [])).toSorted();
    assert.deepEqual(sms.map(({ message }) => String(message['id'])).toSorted(), idsOf('sms'));
    assert.deepEqual(push.map(({ message }) => String(message['id'])).toSorted(), idsOf('push'));
    for (const { path, headers, message } of [...sms, ...push]) {
      assert.equal(path, message['to'] === 'token-of-anna' ? '/push' : '/sms');
      assert.equal(headers['idempotency-key'], message['id']);
    }
    assert.ok(sms.every(({ headers }) => headers.authorization === 'Bearer token-of-the-sms-provider'));
    assert.ok(
      sms.some(({ message }) => String(message['text']).includes('Abholung ist gebucht')),
      'in the language of the person',
    );
    for (const { raw, headers } of push) new Webhook(secret).verify(raw, headers as Record<string, string>);
    assert.ok(!platform.logText().includes('+4915112345678'), 'no address is logged');
  });

  it('are sent again under the same id when the provider has not said how it went', async () => {
    // Of anna's booking more may be told meanwhile.
    answers['+4915112345679'] = [500, 503];
    const delivered = await bookFor('berta', 2, { phone: '+4915112345679', channels: { booking: { sms: 'on' } } });
    const ids = sentTo('+4915112345679').map(({ headers }) => headers['idempotency-key']);
    assert.equal(ids.length, delivered.length + 2, 'each that was not taken comes once more');
    assert.equal(new Set(ids).size, delivered.length);
    assert.equal(
      delivered.reduce((sum, { attempts }) => sum + attempts, 0),
      ids.length,
    );
  });
});
