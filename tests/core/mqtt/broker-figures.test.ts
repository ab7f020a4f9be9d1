import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import mqtt from 'mqtt';
import { createBrokerFigures } from '#core/mqtt/broker-figures.ts';
import { recordTelemetry } from '../../support/record-telemetry.ts';
import { startExternalNode } from './external-node.ts';
import { until } from './fixture.ts';
import { createShippedMosquitto, skipWithoutShippedMosquitto } from './mosquitto.ts';

describe('createBrokerFigures()', () => {
  it('counts what the broker dropped, also over its restarts, and leaves other topics alone', async () => {
    const { metrics } = recordTelemetry();
    const figures = createBrokerFigures(metrics);
    const topic = '$SYS/broker/publish/messages/dropped';
    for (const value of ['3', '5', '5', '2', 'not a number', '-1']) assert.equal(figures.receive(topic, value), true);
    assert.equal(figures.receive('$SYS/broker/version', 'mosquitto version 2.0.11'), false);
    assert.match((await metrics.render()).body, /^returnit_mqtt_broker_dropped_total 7$/m);
  });
});

describe('the figures of Mosquitto', { skip: skipWithoutShippedMosquitto }, () => {
  it('are metrics of the node: dropped messages, clients, sessions, what it stores', async () => {
    const broker = await createShippedMosquitto({ max_queued_messages: '10', sys_interval: '1' });
    await broker.start();
    const node = await startExternalNode({ url: broker.nodeUrl, nodeId: 'n1' });
    const client = await mqtt.connectAsync(broker.nodeUrl, { clientId: 'away', clean: false });
    try {
      await client.subscribeAsync('drivers/#', { qos: 1 });
      await client.endAsync();
      assert.equal(await node.sample('returnit_mqtt_broker_dropped_total'), 0);
      for (let number = 0; number < 30; number += 1) {
        await node.transport.publish('drivers/d1/location', String(number), { qos: 1, retain: false });
      }
      await until(
        'the drops are counted',
        async () => (await node.sample('returnit_mqtt_broker_dropped_total')) === 20,
      );
      await until(
        'what it stores is told',
        async () => (await node.sample('returnit_mqtt_broker_stored_messages')) >= 10,
      );
      await until('sessions are told', async () => (await node.sample('returnit_mqtt_broker_sessions')) === 2);
      assert.equal(await node.sample('returnit_mqtt_broker_clients'), 1);
      assert.ok((await node.sample('returnit_mqtt_broker_stored_bytes')) > 0);
      await until('nothing is held', async () => (await node.sample('returnit_mqtt_inflight_messages')) === 0);
    } finally {
      await client.endAsync(true);
      await node.stop();
      await broker.stop();
    }
  });
});
