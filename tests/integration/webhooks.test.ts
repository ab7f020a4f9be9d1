/** Webhooks of real orders to a real server, from the sandbox: what the core lets through, and what it does not. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Api } from '../support/api-client.ts';
import { bookingAt, orderReached, placeOf, type Order, type Place } from '../support/journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { until } from '../support/until.ts';
import { answer, startReceiver, type Receiver } from '../plugins/webhooks/receiver.ts';

// A port that the manifest does not ask for, at an address of the loopback that is this process' own.
const host = `127.84.${(process.pid >> 8) & 255}.${process.pid & 255 || 1}`;
const port = 9443;
/** What a developer's own manifest asks for beside the public hosts. */
const loopback = `127.0.0.0/8:${port}`;
const environment = {
  WEBHOOKS_SECRET_KEY: Buffer.alloc(32, 3).toString('base64'),
  WEBHOOKS_ALLOW_HTTP: '1',
  WEBHOOKS_TIMEOUT_MS: '3000',
};

/** For a machine that has much else to do. */
const patient = { pluginBootTimeoutMs: 120_000, pluginHeartbeatTimeoutMs: 60_000 };

interface Delivery {
  readonly deliveryId: string;
  readonly messageId: string;
  readonly type: string;
  readonly state: string;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
}

interface DeliveryWithLog extends Delivery {
  readonly log: { readonly outcome: string; readonly response: string | null }[];
}

interface Made {
  readonly endpointId: string;
  readonly secret: string;
}

const make = (api: Api, url: string, more: object = {}): Promise<Made> =>
  api.ok<Made>('POST', '/webhooks/endpoints', { url, ...more });

/** Once, however often a busy machine answers too late. */
function book(api: Api, place: Place, extra: Readonly<Record<string, unknown>> = {}): Promise<Order> {
  const request = { body: bookingAt(place, extra), headers: { 'idempotency-key': `booking-${place.lat}` } };
  return until('it is booked', async () => {
    const reply = await api.request<Order>('POST', '/orders', request);
    return reply.status === 201 ? reply.body : undefined;
  });
}

describe('webhooks on a running platform', () => {
  let platform: TestPlatform;
  let receiver: Receiver;
  let partner: Api;
  before(async () => {
    Object.assign(process.env, environment);
    receiver = await startReceiver(host, port);
    // With a copy of the project everything is granted that is asked for, the optional as well.
    platform = await startPlatform({ fixtures: [], netHosts: { webhooks: [loopback] }, config: patient });
    await platform.reached('webhooks', 'ready');
    partner = await platform.as('partner', 'p-webhooks');
  });
  after(async () => {
    for (const name of Object.keys(environment)) delete process.env[name];
    await platform?.stop();
    await receiver?.stop();
  });

  const test = async (endpointId: string, api = partner): Promise<string> =>
    (await api.ok<{ deliveryId: string }>('POST', `/webhooks/endpoints/${endpointId}/test`)).deliveryId;
  const failed = (deliveryId: string): Promise<DeliveryWithLog> =>
    until('it has failed', async () => {
      const delivery = await partner.ok<DeliveryWithLog>('GET', `/webhooks/deliveries/${deliveryId}`);
      return delivery.log.length > 0 && delivery.lastError !== null ? delivery : undefined;
    });

  it('tells a partner of its orders and of nobody else’s', async () => {
    const { endpointId, secret } = await make(partner, receiver.url);
    receiver.secrets.add(secret);
    const { orderId } = await book(partner, placeOf(31), { customerId: 'c-webhooks' });
    const customer = await platform.as('customer', 'c-other');
    const foreign = await book(customer, placeOf(32));
    await orderReached(partner, orderId, 'scheduled');
    await orderReached(customer, foreign.orderId, 'scheduled');
    const told = (type: string): boolean =>
      receiver.received.some((one) => one.type === type && one.data['orderId'] === orderId);
    await until('booking and payment are told', () => told('order.created') && told('order.scheduled'));
    assert.ok(receiver.received.every(({ data }) => data['orderId'] === orderId));
    assert.ok(receiver.received.every(({ body }) => !body.includes('c-webhooks') && !body.includes('Main Street')));
    assert.deepEqual(receiver.forged, []);
    const list = async (api: Api): Promise<Delivery[]> =>
      (
        await api.ok<{ deliveries: Delivery[] }>(
          'GET',
          `/webhooks/deliveries?orderId=${orderId}&endpointId=${endpointId}`,
        )
      ).deliveries;
    const deliveries = await until('all are delivered', async () => {
      const found = await list(partner);
      return found.every(({ state }) => state === 'delivered') ? found : undefined;
    });
    assert.ok(deliveries.some(({ type, lastStatus }) => type === 'order.created' && lastStatus === 204));
    assert.deepEqual((await list(await platform.as('ops', 'o1'))).length, (await list(partner)).length);
    assert.deepEqual(await list(await platform.as('partner', 'p-stranger')), []);
    assert.equal((await customer.request('GET', '/webhooks/deliveries')).status, 403);
    assert.ok((await platform.sample('returnit_webhooks_attempts_total', { outcome: 'delivered' })) >= 2);
    assert.ok(!platform.logText().includes(secret.slice('whsec_'.length)), 'no secret is logged');
  });

  it('takes no endpoint at an address that is not public, however it is written', async () => {
    const four = '10.0.0.1 192.168.1.1 172.16.0.1 169.254.169.254 127.0.0.1 0.0.0.0 100.64.0.1';
    const otherwise = '2130706433 0x7f.1 0177.0.0.1 127.1 0xa9fea9fe';
    const six =
      '[::1] [::] [::ffff:127.0.0.1] [::ffff:a9fe:a9fe] [fd00:ec2::254] [fe80::1] [64:ff9b::7f00:1] [2002:7f00:1::] [::127.0.0.1]';
    const addresses = `${four} ${otherwise} ${six}`.split(' ');
    for (const address of addresses) {
      const reply = await partner.request('POST', '/webhooks/endpoints', { body: { url: `https://${address}/` } });
      assert.deepEqual([reply.status, reply.body.code], [422, 'WEBHOOK_URL_NOT_ALLOWED'], address);
    }
  });

  it('sends nothing to a private address that a name leads to, and the audit has it', async () => {
    const { endpointId } = await make(partner, 'https://localhost/hooks');
    const { state, lastError, log } = await failed(await test(endpointId));
    assert.deepEqual(
      [state, lastError, log[0]?.outcome],
      ['pending', 'the host leads to an address that may not be called', 'refused'],
    );
    const audit = join(platform.dataDir, 'audit');
    const records = readdirSync(audit)
      .map((file) => readFileSync(join(audit, file), 'utf8'))
      .join('');
    assert.match(records, /"plugin":"webhooks".*(127\.0\.0\.1|\[::1\]):443/);
    await partner.ok('DELETE', `/webhooks/endpoints/${endpointId}`);
  });

  it('needs the status of an answer alone, however long it is, and knows a server that is not there', async () => {
    const api = await platform.as('partner', 'p-long');
    const { endpointId, secret } = await make(api, receiver.url);
    receiver.secrets.add(secret);
    receiver.manner = (response) => {
      response.writeHead(200);
      const write = (): boolean => response.destroyed || response.write('x'.repeat(65_536), () => setImmediate(write));
      write();
    };
    const deliveryId = await test(endpointId, api);
    const delivery = await until('it was delivered', async () => {
      const found = await api.ok<DeliveryWithLog>('GET', `/webhooks/deliveries/${deliveryId}`);
      return found.state === 'delivered' ? found : undefined;
    });
    assert.equal(delivery.log[0]?.response?.length, 1024);
    receiver.manner = answer(204);
    const nobody = await make(partner, `http://127.84.0.255:${port}/`);
    const { log, lastError } = await failed(await test(nobody.endpointId));
    assert.deepEqual([log[0]?.outcome, lastError], ['unreachable', 'ECONNREFUSED']);
  });

  it('tells others of an endpoint that was disabled, and the partner why', async () => {
    const api = await platform.as('partner', 'p-gone');
    const { endpointId, secret } = await make(api, `${receiver.url}/gone`);
    receiver.secrets.add(secret);
    receiver.manner = answer(410);
    await test(endpointId, api);
    const endpoint = await until('it is disabled', async () => {
      const found = await api.ok<{ state: string; disabledReason: string }>('GET', `/webhooks/endpoints/${endpointId}`);
      return found.state === 'disabled' ? found : undefined;
    });
    assert.equal(endpoint.disabledReason, 'gone');
    receiver.manner = answer(204);
    const published = { plugin: 'webhooks', capability: 'events.publish', outcome: 'ok' };
    assert.equal(await platform.sample('returnit_plugin_capability_calls_total', published), 1);
    assert.equal(await platform.sample('returnit_webhooks_disabled_total', { reason: 'gone' }), 1);
    const notice = await until('the partner has a notice', async () => {
      const page = await api.ok<{ notifications: { template: string; body: string }[] }>('GET', '/notifications');
      return page.notifications.find(({ template }) => template === 'webhook.endpoint_disabled');
    });
    assert.ok(notice.body.includes(host), notice.body);
  });
});

describe('webhooks as they are shipped, with all that they ask for', () => {
  let platform: TestPlatform;
  before(async () => {
    Object.assign(process.env, environment);
    platform = await startPlatform({ fixtures: [], config: { plugins: ['webhooks'], ...patient } });
    await platform.reached('webhooks', 'ready');
  });
  after(async () => {
    for (const name of Object.keys(environment)) delete process.env[name];
    await platform?.stop();
  });

  it('call nobody on this machine or its network, also where http is allowed', async () => {
    const api = await platform.as('partner', 'p1');
    for (const address of ['127.0.0.1:9443', '127.0.0.1', '[::1]:9443', '10.0.0.1:443', 'localhost:9443']) {
      const { status, body } = await api.request('POST', '/webhooks/endpoints', {
        body: { url: `http://${address}/` },
      });
      assert.deepEqual([status, body.code], [422, 'WEBHOOK_URL_NOT_ALLOWED'], address);
    }
    assert.equal(
      (await api.request('POST', '/webhooks/endpoints', { body: { url: 'https://a.example/' } })).status,
      201,
    );
  });
});

describe('webhooks without a grant', () => {
  let platform: TestPlatform;
  before(async () => {
    Object.assign(process.env, environment);
    platform = await startPlatform({ config: { plugins: ['webhooks'], ...patient } });
    await platform.reached('webhooks', 'ready');
  });
  after(async () => {
    for (const name of Object.keys(environment)) delete process.env[name];
    await platform?.stop();
  });

  it('start, and take no endpoint until the operator has granted that hosts are called', async () => {
    const api = await platform.as('partner', 'p1');
    const reply = await api.request('POST', '/webhooks/endpoints', { body: { url: 'https://returns.example/' } });
    assert.deepEqual([reply.status, reply.body.code], [422, 'WEBHOOK_URL_NOT_ALLOWED']);
    assert.match(
      reply.body.detail ?? '',
      /the platform may not call "returns\.example:443": webhooks has no grant for it$/,
    );
  });
});
