/** One order, booked and paid for on one node and carried out on another: one trace, found by one id. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { skipWithoutMosquitto } from '../core/mqtt/mosquitto.ts';
import type { CoreProcess } from '../support/core-process.ts';
import { bookingAt, orderReached, placeOf, type Order } from '../support/journey.ts';
import { startMailServer, type TestMailServer } from '../support/mail-server.ts';
import { createMosquittoNodes, type MosquittoNodes } from '../support/mosquitto-nodes.ts';
import { attributesOf, startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from '../support/otlp-receiver.ts';
import { until } from '../support/until.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const customersSpan = 'b7ad6b7169203331';
/** What the driver's phone says of its own trace, and that it is sampled. */
const phonesTrace = '5'.repeat(32);
const phone = { traceparent: `00-${phonesTrace}-${'6'.repeat(16)}-01` };
const driverId = 'traced-driver';

const acceptance = 'POST /drivers/{driverId}/offers/{offerId}/accept';
const steps = ['start', 'arrive', 'pickup', 'deliver'].map((verb) => `POST /orders/{orderId}/${verb}`);

/** Milestones in the order in which each must begin; beside them are the spans of what each of them did. */
const story = [
  'POST /orders',
  'process payments.authorise',
  'process event.orders.payment.authorised',
  'process event.drivers.order.scheduled',
  'process drivers.push',
  'mqtt.publish',
  acceptance,
  'process event.orders.driver.assigned',
  ...steps,
  'process event.drivers.order.completed',
];

describe('the trace of an order on two nodes', { skip: skipWithoutMosquitto }, () => {
  let nodes: MosquittoNodes;
  let receiver: OtlpReceiver;
  let desk: CoreProcess;
  let street: CoreProcess;
  let mail: TestMailServer;
  let order: Order;
  /** Of the offer, as the driver's phone is told. */
  let offered: string | undefined;

  before(async () => {
    receiver = await startOtlpReceiver();
    nodes = await createMosquittoNodes('');
    const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
    mail = await startMailServer({ options: { hideSTARTTLS: true, disabledCommands: ['STARTTLS'] } });
    const mailing = {
      SMTP_URL: `smtp://localhost:${mail.port}`,
      SMTP_TLS: 'none',
      MAIL_FROM: 'ReturnIt <service@returnit.example>',
    };
    desk = await nodes.start('desk', { plugins: 'orders,payments', environment });
    street = await nodes.start('street', {
      plugins: 'orders,drivers,tracking,notifications',
      environment: { ...environment, ...mailing },
    });
    order = await carryOut();
  });
  after(async () => {
    await nodes?.stop();
    await mail?.stop();
    await receiver?.stop();
  });

  async function carryOut(): Promise<Order> {
    const place = placeOf(1);
    const ops = await street.as('ops', 'dispatcher');
    const driver = await street.as('driver', driverId);
    await ops.ok('POST', '/drivers', { driverId, name: 'Driver', vehicle: 'van' });
    await driver.ok('POST', `/drivers/${driverId}/shift`, { onShift: true });
    const offers: { offerId: string }[] = [];
    nodes.phones.on('message', (_topic, payload, { properties }) => {
      offers.push(JSON.parse(String(payload)) as { offerId: string });
      const told = properties?.userProperties?.['traceparent'];
      if (typeof told === 'string') offered ??= told;
    });
    await nodes.phones.subscribeAsync(`drivers/${driverId}/offers`, { qos: 1 });
    const fix = JSON.stringify({ ...place, recordedAt: new Date().toISOString(), accuracyM: 5, ...phone });
    await nodes.phones.publishAsync(`drivers/${driverId}/location`, fix, { qos: 1 });
    await until('the position is known', async () => {
      const { fixes } = await ops.ok<{ fixes: object[] }>('GET', `/tracking/drivers/${driverId}/history`);
      return fixes.length > 0;
    });

    const customer = await desk.as('customer', 'c1');
    await (await street.as('customer', 'c1')).ok('PUT', '/notifications/preferences', { email: 'c1@example.com' });
    const { status, body } = await customer.request<Order>('POST', '/orders', {
      body: bookingAt(place),
      headers: { traceparent: `00-${traceId}-${customersSpan}-00` },
    });
    assert.equal(status, 201);
    const offer = await until('the offer is heard', () => offers[0]);
    const act = async (path: string): Promise<void> => {
      const answer = await driver.request(`POST`, path, { headers: phone });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      assert.notEqual(answer.headers.get('x-request-id'), phonesTrace);
    };
    await act(`/drivers/${driverId}/offers/${offer.offerId}/accept`);
    await orderReached(ops, body.orderId, 'assigned');
    for (const verb of ['start', 'arrive', 'pickup', 'deliver']) await act(`/orders/${body.orderId}/${verb}`);
    return orderReached(ops, body.orderId, 'completed');
  }

  const ofStory = (): readonly ReceivedSpan[] => receiver.spans.filter((span) => span.traceId === traceId);

  async function wholeStory(): Promise<readonly ReceivedSpan[]> {
    return until(
      'all of the trace is received',
      () => {
        const spans = ofStory();
        const ids = new Set([...spans.map(({ spanId }) => spanId), customersSpan]);
        const isWhole = spans.every(({ parentSpanId = '' }) => ids.has(parentSpanId));
        const completed = (spans: readonly ReceivedSpan[]) =>
          spans.filter(({ name }) => name.endsWith('.order.completed'));
        return (
          isWhole && completed(spans).length >= 3 && story.every((name) => spans.some((s) => s.name === name)) && spans
        );
      },
      60_000,
    ).catch((error: unknown) => {
      throw new Error(`of ${[...new Set(ofStory().map(({ name }) => name))].join('\n')}`, { cause: error });
    });
  }

  it('has one id, one root and every step in its order', async () => {
    const spans = await wholeStory();
    const roots = spans.filter(({ parentSpanId }) => parentSpanId === customersSpan);
    assert.deepEqual(
      roots.map(({ name, kind }) => [name, kind]),
      [['POST /orders', 2]],
    );
    const begins = story.map((name) => {
      const [first] = spans
        .filter((span) => span.name === name)
        .map(({ startTimeUnixNano }) => BigInt(startTimeUnixNano))
        .toSorted((a, b) => (a < b ? -1 : 1));
      return { name, at: first ?? 0n };
    });
    assert.deepEqual(
      begins.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).map(({ name }) => name),
      story,
    );
  });

  it('crosses plugins and nodes', async () => {
    const spans = await wholeStory();
    const plugins = spans.map(({ attributes }) => {
      const { 'plugin.name': caller, 'returnit.plugin': worker } = attributesOf(attributes);
      return caller ?? worker;
    });
    const crossed = [...new Set(plugins.filter((name) => name !== undefined))].toSorted();
    assert.deepEqual(crossed, ['drivers', 'notifications', 'orders', 'payments', 'tracking']);
    const nodeOf = (name: string): string | undefined =>
      spans.find((span) => span.name === name)?.resource['service.instance.id'];
    const [desks, streets] = [nodeOf('POST /orders'), nodeOf(acceptance)];
    assert.ok(desks !== undefined && streets !== undefined && desks !== streets);
    assert.equal(nodeOf('process payments.authorise'), desks);
    for (const name of ['process event.drivers.order.scheduled', 'process drivers.push', ...steps])
      assert.equal(nodeOf(name), streets, name);
  });

  it('has each later step as a child of the booking or of the dispatch, linked to a request with a trace of its own', async () => {
    const spans = await wholeStory();
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    const requests: string[] = [];
    for (const name of [acceptance, ...steps]) {
      const step = spans.find((span) => span.name === name);
      const parent = byId.get(step?.parentSpanId ?? '')?.name;
      assert.equal(parent, name === acceptance ? 'process event.drivers.order.scheduled' : 'POST /orders', name);
      assert.equal(step?.links?.length, 1, name);
      const request = receiver.spans.find(({ spanId }) => spanId === step?.links?.[0]?.spanId);
      assert.deepEqual([request?.name, request?.kind, request?.parentSpanId ?? ''], [name, 2, '']);
      // The phone's own trace and the order's; neither is its parent.
      assert.deepEqual(
        request?.links?.map((link) => link.traceId),
        [phonesTrace, traceId],
        name,
      );
      requests.push(request?.traceId ?? '');
      const published = spans.filter(
        ({ parentSpanId, name: call }) => parentSpanId === step?.spanId && call === 'events.publish',
      );
      assert.equal(published.length, 1, `${name} tells of itself in the trace`);
    }
    assert.equal(new Set([...requests, traceId, phonesTrace]).size, requests.length + 2);
    assert.deepEqual(
      receiver.spans.filter((span) => span.traceId === phonesTrace),
      [],
    );
  });

  it('is told to the phone with the offer, as a user property of MQTT 5', async () => {
    const spans = await wholeStory();
    const publishes = spans.filter(({ name }) => name === 'mqtt.publish');
    const [, trace, span] = offered?.split('-') ?? [];
    assert.equal(trace, traceId);
    assert.ok(publishes.some(({ spanId }) => spanId === span));
  });

  it('ends with the job that sends the customer the last message', async () => {
    const leadsBackTo = (spans: readonly ReceivedSpan[], name: string, from: ReceivedSpan): boolean => {
      const parent = spans.find(({ spanId }) => spanId === from.parentSpanId);
      return parent !== undefined && (parent.name === name || leadsBackTo(spans, name, parent));
    };
    const delivery = 'process event.notifications.order.completed';
    // A job may be tried more than once: the one that sends it is meant.
    await until('the mail about the completion is sent', () => {
      const spans = ofStory();
      const senders = new Set(spans.filter(({ name }) => name === 'mail.send').map((span) => span.parentSpanId));
      const jobs = spans.filter(({ name, spanId }) => name === 'process notifications.email' && senders.has(spanId));
      return jobs.find((job) => leadsBackTo(spans, delivery, job));
    });
    assert.equal(ofStory().filter(({ name }) => name === delivery).length, 1);
    assert.ok(mail.mails.some(({ to }) => to.includes('c1@example.com')));
  });

  it('is where the history of the order says', () => {
    const traces = order.history?.map(({ to, traceId: trace }) => [to, trace === traceId]);
    assert.deepEqual(traces?.slice(0, 3), [
      ['created', true],
      ['scheduled', true],
      ['assigned', true],
    ]);
  });
});
