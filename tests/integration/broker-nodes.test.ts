/** Two nodes of the platform on one Postgres and one Mosquitto: one is killed in the middle of a stream. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { skipWithoutMosquitto } from '../core/mqtt/mosquitto.ts';
import type { CoreProcess } from '../support/core-process.ts';
import { near, placeOf, type Place } from '../support/journey.ts';
import { createMosquittoNodes, readCounter, type MosquittoNodes } from '../support/mosquitto-nodes.ts';
import { until } from '../support/until.ts';

const drivers = ['driver-a', 'driver-b', 'driver-c', 'driver-d'];
const fixesOfEach = 500;
const killedAfter = 200;
const received = 'returnit_mqtt_messages_received_total';

describe('two nodes at one broker', { skip: skipWithoutMosquitto }, () => {
  let nodes: MosquittoNodes;
  let running: CoreProcess[];

  before(async () => {
    nodes = await createMosquittoNodes('tracking');
    running = [await nodes.start('n1'), await nodes.start('n2')];
  });
  after(() => nodes?.stop());

  const startMs = Date.now() - 3_600_000;
  const placeAt = (driver: number, index: number): Place => near(placeOf(driver + 1), index);

  async function publish(from: number, to: number): Promise<void> {
    const sent: Promise<unknown>[] = [];
    for (let index = from; index < to; index += 1) {
      for (const [number, driver] of drivers.entries()) {
        const recordedAt = new Date(startMs + index * 1000).toISOString();
        const payload = JSON.stringify({ ...placeAt(number, index), recordedAt, accuracyM: 4 });
        sent.push(nodes.phones.publishAsync(`drivers/${driver}/location`, payload, { qos: 1 }));
      }
    }
    await Promise.all(sent);
  }

  async function stored(): Promise<number> {
    const { rows } = await nodes.pool.query<{ count: number }>(
      'select count(*)::int as count from tracking.driver_location_pings',
    );
    return rows[0]?.count ?? 0;
  }

  it('share a stream, and lose nothing when one is killed in the middle of it', async () => {
    const [first, second] = running;
    assert.ok(first !== undefined && second !== undefined);
    let count = 0;
    await until('both take their share', async () => {
      await publish(count, (count += 10));
      return (await readCounter(first, received)) > 0 && (await readCounter(second, received)) > 0;
    });
    await publish(count, killedAfter);
    const rest = publish(killedAfter, fixesOfEach);
    assert.equal(await first.end('SIGKILL'), 'SIGKILL');
    await rest;
    const acknowledged = drivers.length * fixesOfEach;
    await until('every acknowledged fix is stored', async () => (await stored()) >= acknowledged);
    assert.equal(await stored(), acknowledged);
    const { rows } = await nodes.pool.query<{ driver_id: string; lat: number; lon: number }>(
      'select driver_id, lat, lon from tracking.driver_position order by driver_id',
    );
    assert.deepEqual(
      rows,
      drivers.map((driver_id, number) => ({ driver_id, ...placeAt(number, fixesOfEach - 1) })),
    );
    await until('the session of the dead is gone', async () => {
      const { rowCount } = await nodes.pool.query('select 1 from returnit.mqtt_session');
      return rowCount === 1;
    });
  });
});
