import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import mqtt from 'mqtt';
import type { TreeSpan } from '#core/telemetry/trace-tree.ts';
import { bookingAt, connectDriver, near, orderReached, placeOf, type Order } from '../support/journey.ts';
import { startOtlpReceiver } from '../support/otlp-receiver.ts';
import { driveOrder } from '../support/order-journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { until } from '../support/until.ts';

const parentSpanId = 'b7ad6b7169203331';

async function bookTraced(platform: TestPlatform, traceId: string, place: { lat: number; lon: number }) {
  const customer = await platform.as('customer', `c-${traceId.slice(0, 6)}`);
  const { status, body } = await customer.request<Order>('POST', '/orders', {
    body: bookingAt(place),
    headers: { traceparent: `00-${traceId}-${parentSpanId}-01` },
  });
  assert.equal(status, 201);
  return orderReached(customer, body.orderId, 'assigned');
}

/** A span and where it hangs: the names from the root down to it. */
function pathsOf(spans: readonly Pick<TreeSpan, 'spanId' | 'parentSpanId' | 'name'>[]): string[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const pathOf = ({ name, parentSpanId }: (typeof spans)[number]): string => {
    const parent = parentSpanId === undefined ? undefined : byId.get(parentSpanId);
    return parent === undefined ? name : `${pathOf(parent)} > ${name}`;
  };
  return spans.map(pathOf);
}

describe('telemetry of a platform', () => {
  let platform: TestPlatform;
  const traceId = '0af7651916cd43dd8448eb211c80319c';

  before(async () => {
    platform = await startPlatform({ config: { logLevel: 'trace', tracesKept: 20_000 } });
  });
  after(() => platform?.stop());

  it('shows a booking from the request to the driver as one trace', async () => {
    const place = placeOf(1);
    const device = await connectDriver(platform, 'traced-driver');
    await device.publish(near(place, 1));
    await bookTraced(platform, traceId, place);
    const last = 'process event.tracking.order.assigned';
    // A span is shown when it has ended, and its parent may end after it.
    const spans = await until('all spans have ended, and hang under the request', async () => {
      const found = await platform.trace(traceId);
      return found.some(({ name }) => name === last) && found.filter(({ depth }) => depth === 0).length === 1 && found;
    });
    const [root] = spans;
    assert.deepEqual([root?.name, root?.parentSpanId, root?.kind], ['POST /orders', parentSpanId, 'server']);
    const paths = pathsOf(spans);
    for (const path of [
      // HTTP, invoke(), database
      'POST /orders > db.begin',
      'POST /orders > db.query',
      'POST /orders > db.commit',
      // the outbox, the event's handler, and what it does
      'POST /orders > events.publish > process event.payments.order.created > jobs.send > process payments.authorise',
    ]) {
      assert.ok(paths.includes(path), `${path} in\n${paths.join('\n')}`);
    }
    const assignment = paths.find((path) => path.endsWith(last)) ?? '';
    assert.match(
      assignment,
      /payments\.authorise > events\.publish > process event\.orders\.payment\.authorised > events\.publish > process event\.drivers\.order\.scheduled > events\.publish > process event\.orders\.driver\.assigned > events\.publish/,
    );
    const insert = spans.find(({ attributes }) => attributes['db.query.summary'] === 'insert_order');
    assert.equal(insert?.attributes['plugin.name'], 'orders');
    await device.close();
  });

  it('shows a position from the broker to the live stream as one trace, with a device as a link alone', async () => {
    const place = placeOf(2);
    const device = await connectDriver(platform, 'linked-driver');
    await device.publish(near(place, 1));
    await bookTraced(platform, '1'.repeat(32), place);
    const claimed = '2'.repeat(32);
    const name = 'process drivers/+/location';
    const spans = await until('the batch is traced', async () => {
      // Again and again: until tracking has heard of the assignment, nobody is told of a position.
      const payload = {
        ...near(place, 2),
        recordedAt: new Date().toISOString(),
        traceparent: `00-${claimed}-${parentSpanId}-01`,
      };
      await device.client.publishAsync('drivers/linked-driver/location', JSON.stringify(payload), { qos: 1 });
      const { traces } = JSON.parse((await platform.ops('/traces')).text) as {
        traces: { traceId: string; name: string }[];
      };
      for (const trace of traces.filter((trace) => trace.name === name)) {
        const found = await platform.trace(trace.traceId);
        const isLinked = found[0]?.links.some((link) => link.traceId === claimed) === true;
        if (isLinked && pathsOf(found).includes(`${name} > live.publish`)) return found;
      }
      return undefined;
    });
    await device.close();
    const paths = pathsOf(spans);
    assert.deepEqual(
      [name, `${name} > db.query`, `${name} > live.publish`].filter((path) => !paths.includes(path)),
      [],
    );
    assert.deepEqual(await platform.trace(claimed), [], 'a device cannot write into a trace of its choice');
  });

  it('shows each run of what a plugin repeats as a trace of its own', async () => {
    const name = 'repeat presence';
    const run = await until('one is among the newest traces', async () => {
      const { traces } = JSON.parse((await platform.ops('/traces')).text) as {
        traces: { traceId: string; name: string }[];
      };
      return traces.find((trace) => trace.name === name);
    });
    const spans = await platform.trace(run.traceId);
    assert.deepEqual([spans[0]?.parentSpanId, spans[0]?.attributes['returnit.plugin']], [undefined, 'tracking']);
    assert.ok(pathsOf(spans).includes(`${name} > db.query`), pathsOf(spans).join('\n'));
  });

  it('names trace and plugin on the lines of a plugin', async () => {
    const lines = platform.logs.filter((line) => line.trace_id === traceId && line.msg === 'notification sent');
    assert.ok(lines.length >= 3, 'order.created, order.scheduled, order.assigned');
    for (const line of lines) assert.equal(line.plugin, 'notifications');
    for (const line of platform.logs)
      assert.ok(line.level !== undefined && line.msg !== undefined, JSON.stringify(line));
  });

  it('writes no secret and no exact position, whatever goes right or wrong', async () => {
    await driveOrder({ platform, place: placeOf(3), name: 'logged' });
    const secrets = await provokeErrors(platform);
    for (const file of await keyFiles(platform.dataDir)) secrets.push(file);
    const places = [1, 2, 3, 4].flatMap((index) => [0, 1, 2, 3, 4, 5, 9, 20].map((step) => near(placeOf(index), step)));
    const positions = places.flatMap(({ lat, lon }) => [String(lat), String(lon)]);
    const log = platform.logText();
    assert.ok(log.length > 10_000);
    for (const text of [...secrets, ...positions]) {
      const at = log.indexOf(text);
      assert.ok(at < 0, `"${text.slice(0, 12)}…" in the log: ${log.slice(Math.max(0, at - 200), at + 100)}`);
    }
    assert.doesNotMatch(log, /eyJ[\w-]{10,}\./, 'no token');
    // Nor in traces, which go to other systems.
    const { traces } = JSON.parse((await platform.ops('/traces')).text) as { traces: { traceId: string }[] };
    let spans = '';
    for (const trace of traces) spans += JSON.stringify(await platform.trace(trace.traceId));
    for (const text of [...secrets, ...positions])
      assert.ok(!spans.includes(text), `"${text.slice(0, 12)}…" in a trace`);
  });
});

/** Everything that a client can do wrong while it sends what must not be kept. @returns the secrets that were used */
async function provokeErrors(platform: TestPlatform): Promise<string[]> {
  const place = placeOf(4);
  const device = await connectDriver(platform, 'careless');
  const customer = await platform.as('customer', 'careless');
  const token = customer.token ?? '';
  const expired = await platform.token('customer', 'careless', -3600);
  const wrong = 'open-sesame-0815';
  await customer.request('POST', '/orders', { body: { ...bookingAt(place), unknown: { password: wrong } } });
  await customer.request('POST', '/orders', { raw: `{"lat": ${place.lat}, "password": "${wrong}"` });
  await platform.anonymous(expired).request('GET', '/orders');
  await platform.anonymous(wrong).request('GET', '/orders');
  await fetch(`${platform.app.addresses.api}/live/orders/x/position?token=${token}`);
  await fetch(`${platform.app.addresses.api}/nothing/${token}?password=${wrong}&lat=${place.lat}`);
  await device.client.publishAsync('drivers/careless/location', `{"lat": ${place.lat}, "lon": "${place.lon}"}`, {
    qos: 1,
  });
  await device.client.publishAsync(
    'drivers/careless/location',
    JSON.stringify({ ...near(place, 1), recordedAt: 'then' }),
    {
      qos: 1,
    },
  );
  const { mqtt: url } = platform.app.addresses;
  await assert.rejects(mqtt.connectAsync(url, { username: device.username, password: wrong, reconnectPeriod: 0 }));
  await device.close();
  return [device.password, token, expired, wrong];
}

/** What the core keeps to itself in its data folder: private keys and passwords. */
async function keyFiles(dataDir: string): Promise<string[]> {
  const names = ['postgres.secret', ...(await readdir(join(dataDir, 'keys'))).map((name) => join('keys', name))];
  assert.ok(names.length > 1);
  const contents = await Promise.all(names.map((name) => readFile(join(dataDir, name), 'utf8')));
  return contents.flatMap((content) => content.match(/[\w+/=-]{20,}/g) ?? []);
}

describe('OTEL_EXPORTER_OTLP_ENDPOINT', () => {
  it('gets the whole trace of a booking', async () => {
    const receiver = await startOtlpReceiver();
    const platform = await startPlatform({ config: { otlpEndpoint: receiver.url } });
    const traceId = '3'.repeat(32);
    try {
      const device = await connectDriver(platform, 'exported-driver');
      await device.publish(near(placeOf(1), 1));
      await bookTraced(platform, traceId, placeOf(1));
      await device.close();
    } finally {
      await platform.stop();
      await receiver.stop();
    }
    const paths = pathsOf(receiver.spans.filter((span) => span.traceId === traceId));
    assert.ok(
      paths.includes(
        'POST /orders > events.publish > process event.payments.order.created > jobs.send > process payments.authorise',
      ),
    );
    assert.ok(paths.some((path) => path.endsWith('process event.drivers.order.scheduled > db.query')));
  });
});
