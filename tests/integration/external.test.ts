/** The same order on servers that others run: Debian's Postgres 15 and Mosquitto 2. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as pg from 'pg';
import { createMosquitto, type Mosquitto } from '../core/mqtt/mosquitto.ts';
import { startExternalPostgres, type ExternalPostgres } from '../support/external-postgres.ts';
import { book, orderReached, placeOf } from '../support/journey.ts';
import { driveOrder } from '../support/order-journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { skipWithout } from '../support/programs.ts';
import { until } from '../support/until.ts';

const skip = skipWithout(['postgres', 'initdb', 'mosquitto'], 'postgresql-15 mosquitto');

describe('DATABASE_URL and MQTT_URL', { skip }, () => {
  let postgres: ExternalPostgres;
  let mosquitto: Mosquitto;
  let platform: TestPlatform;

  before(async () => {
    postgres = await startExternalPostgres();
    mosquitto = await createMosquitto();
    await mosquitto.start();
    platform = await startPlatform({ config: { databaseUrl: postgres.url, mqttUrl: mosquitto.url } });
  });
  after(async () => {
    await platform?.stop();
    await mosquitto?.stop();
    await postgres?.stop();
  });

  it('are used instead of the embedded servers', async () => {
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    const { rows } = await client.query<{ version: string; schemas: string[] }>(
      `select current_setting('server_version') as version,
        array(select nspname::text from pg_namespace where nspname in ('orders', 'returnit', 'pgboss') order by 1) as schemas`,
    );
    await client.end();
    assert.match(rows[0]?.version ?? '', /^15\./);
    assert.deepEqual(rows[0]?.schemas, ['orders', 'pgboss', 'returnit']);
    assert.equal(platform.app.addresses.mqtt, mosquitto.url);
  });

  it('carry an order from booking to the door', async () => {
    await driveOrder({ platform, place: placeOf(1), name: 'external' });
  });

  it('may go away and come back: nothing is lost', async () => {
    await mosquitto.end('SIGTERM');
    await until('its absence is noticed', async () => (await platform.ops('/readyz')).status === 503);
    const customer = await platform.as('customer', 'c-outage');
    const { orderId } = await book(customer, placeOf(2));
    await orderReached(customer, orderId, 'scheduled');
    await mosquitto.start();
    await until('the broker is reached again', async () => {
      const { checks } = JSON.parse((await platform.ops('/readyz')).text) as {
        checks: { name: string; state: string }[];
      };
      return checks.some(({ name, state }) => name === 'broker' && state === 'connected');
    });
    await driveOrder({ platform, place: placeOf(3), name: 'reconnected' });
  });

  it('keep their passwords out of the log', () => {
    assert.ok(!platform.logText().includes(postgres.password));
  });
});
