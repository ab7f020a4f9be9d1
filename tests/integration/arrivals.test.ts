/** A recorded way over real MQTT on a running platform: presence, arrival and departure once, times of arrival by a routing engine. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { manners, startOsrmServer, type OsrmServer } from '../plugins/tracking/osrm-server.ts';
import { book, bookingAt, connectDriver, orderReached, type Device, type Place } from '../support/journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { until } from '../support/until.ts';

const tracePath = new URL('../../../shared/data/munich-car-1hz.csv', import.meta.url);
const skip = existsSync(tracePath) ? false : `no recorded trace at ${tracePath.pathname}`;
const seconds = 1000;
/** Where the car of the trace stops for the parcels, and for how long. */
const stopAt = 100;
const stopSeconds = 40;

/** The first minutes of a drive, with a stop in it: one place a second. */
function readDrive(): Place[] {
  const lines = readFileSync(tracePath, 'utf8').trim().split('\n').slice(1, 201);
  const places = lines.map((line) => {
    const [, lat, lon] = line.split(',').map(Number);
    return { lat: lat ?? 0, lon: lon ?? 0 };
  });
  const stop = places[stopAt] ?? { lat: 0, lon: 0 };
  const standing = Array.from({ length: stopSeconds }, (_, index) => ({ ...stop, lat: stop.lat + (index % 3) * 1e-5 }));
  return [...places.slice(0, stopAt), ...standing, ...places.slice(stopAt)];
}

interface ShownPosition {
  readonly ageSeconds: number;
  readonly eta: { readonly seconds: number; readonly source: string } | null;
}

describe('the way to a stop', { skip }, () => {
  let platform: TestPlatform;
  let osrm: OsrmServer;
  let device: Device;
  before(async () => {
    // The port that the plugin asks for, at an address of the loopback that is this process' own.
    osrm = await startOsrmServer(`127.83.${(process.pid >> 8) & 255}.${process.pid & 255 || 1}`, 5000);
    osrm.manner = manners.route(420);
    process.env['TRACKING_OSRM_URL'] = osrm.url.href;
    // With a copy of the project everything is granted that is asked for, the optional as well.
    platform = await startPlatform({ fixtures: [] });
  });
  after(async () => {
    delete process.env['TRACKING_OSRM_URL'];
    await device?.close();
    await platform?.stop();
    await osrm?.stop();
  });

  it('is told once, with times of arrival on the way, whatever is repeated and shuffled', async () => {
    const drive = readDrive();
    const [first, stop] = [drive[0], drive[stopAt]];
    assert.ok(first !== undefined && stop !== undefined);
    const customer = await platform.as('customer', 'c-arrivals');
    const ops = await platform.as('ops', 'dispatcher');
    device = await connectDriver(platform, 'd-arrivals');
    await device.publish(first);
    const { orderId } = await book(customer, stop, bookingAt(stop));
    await orderReached(customer, orderId, 'assigned');
    const driver = await platform.as('driver', 'd-arrivals');
    await driver.ok('POST', `/orders/${orderId}/start`);

    const { drivers } = await ops.ok<{ drivers: { driverId: string; orders: number }[] }>(
      'GET',
      '/tracking/drivers?presence=online',
    );
    assert.ok(drivers.some(({ driverId }) => driverId === 'd-arrivals'));

    const startMs = Date.now() + seconds;
    const send = (indexes: readonly number[]): Promise<unknown> =>
      Promise.all(indexes.map((index) => device.publish(drive[index] ?? first, new Date(startMs + index * seconds))));
    await send(Array.from({ length: 20 }, (_, index) => index));
    const shown = await until('the routing engine is asked', async () => {
      const position = await customer.ok<ShownPosition>('GET', `/tracking/orders/${orderId}/position`);
      return position.eta?.source === 'osrm' ? position : undefined;
    });
    assert.ok(shown.ageSeconds >= 0 && (shown.eta?.seconds ?? 0) > 300);
    assert.match(
      osrm.asked[0] ?? '',
      /^\/route\/v1\/driving\/11\.\d{5},48\.\d{5};11\.\d{5},48\.\d{5}\?overview=false$/,
    );

    const rest = Array.from({ length: drive.length - 20 }, (_, index) => index + 20);
    // Every fix twice, each time in another order: 7 and 11 are prime to their number.
    await send(rest.map((_, index) => rest[(index * 7) % rest.length] ?? 0));
    await send(rest.map((_, index) => rest[(index * 11) % rest.length] ?? 0));
    await send([drive.length - 25, drive.length - 1]);
    const told = (event: string): Promise<number> =>
      platform.sample('returnit_tracking_stops_total', { event, stop: 'pickup' });
    await until('arrival and departure are told', async () => (await told('departed')) === 1);
    assert.equal(await told('arrived'), 1);
    assert.equal(await told('departed'), 1);
    assert.equal(await platform.sample('returnit_tracking_stops_unchecked_total'), 0);
    assert.equal(await platform.sample('returnit_tracking_etas_failed_total'), 0);
    assert.ok(!platform.logText().includes(String(stop.lat)), 'no place is logged');
  });

  it('has a will of a device that is not its own driver refused, and its own taken', async () => {
    await device.client.publishAsync('drivers/d-arrivals/status', '{"status":"offline"}', { qos: 1 });
    const wills = (outcome: string): Promise<number> => platform.sample('returnit_tracking_wills_total', { outcome });
    await until('the will is taken', async () => (await wills('used')) + (await wills('late')) === 1);
    const before = await platform.sample('returnit_mqtt_authorizations_denied_total');
    await device.client.publishAsync('drivers/other/status', '{"status":"offline"}', { qos: 1 });
    assert.ok((await platform.sample('returnit_mqtt_authorizations_denied_total')) > before);
  });
});
