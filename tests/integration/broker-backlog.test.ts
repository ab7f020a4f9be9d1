/** A hundred devices that send as fast as they are acknowledged, and a node that keeps up, at the shipped Mosquitto. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startLoad } from '../bench/ingest/load-process.ts';
import { startExternalNode } from '../core/mqtt/external-node.ts';
import { acceptAll } from '../core/mqtt/fixture.ts';
import { createShippedMosquitto, skipWithoutShippedMosquitto } from '../core/mqtt/mosquitto.ts';
import { until } from '../support/until.ts';

const devices = 100;
const fixesOfEach = 1000;
const windowMax = 2500;

describe('devices that send flat out', { skip: skipWithoutShippedMosquitto }, () => {
  it('keep no node from being heard: nothing piles up at Mosquitto', async (t) => {
    const broker = await createShippedMosquitto({ sys_interval: '1', use_username_as_clientid: 'false' });
    t.after(() => broker.stop());
    await broker.start();
    const node = await startExternalNode({
      url: broker.nodeUrl,
      nodeId: 'n1',
      config: { mqttShareGuard: 'plain', mqttInflightMax: 2 * windowMax },
    });
    t.after(() => node.stop());
    let seen = 0;
    await node.subscribe('drivers/+/location', async (messages) => {
      seen += messages.length;
      return acceptAll(messages);
    });
    const load = startLoad();
    t.after(() => load.stop());
    const { username, password } = new URL(broker.nodeUrl);
    const account = { username, password: decodeURIComponent(password) };
    await load.ask({
      do: 'connect',
      url: broker.deviceUrl,
      devices: Array.from({ length: devices }, (_, index) => ({ driverId: `d${index}`, ...account })),
      baseMs: 0,
    });
    const fixes = devices * fixesOfEach;
    await load.ask({ do: 'flat-out', windowMax: 100, perDevice: fixesOfEach, clock: 'number' });
    let waiting = 0;
    let held = 0;
    while ((await load.ask({ do: 'counts' })).acknowledged < fixes) {
      waiting = Math.max(waiting, await node.sample('returnit_mqtt_broker_stored_messages'));
      held = Math.max(held, await node.sample('returnit_mqtt_inflight_messages'));
      await delay(100);
    }
    t.diagnostic(`at most ${waiting} waited at Mosquitto, and ${held} at the node`);
    await until('all have come', () => seen >= fixes);
    assert.ok(held <= windowMax, `${held} held, with a window of ${windowMax}`);
    assert.ok(waiting > 0 && waiting < fixes / 4, `${waiting} of ${fixes} waited`);
    assert.equal(await node.sample('returnit_mqtt_broker_dropped_total'), 0);
    assert.equal(await node.sample('returnit_mqtt_reconnects_total'), 0);
  });
});
