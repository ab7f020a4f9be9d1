/** What a device is told of the trace of a message, by Mosquitto and MQTT 5. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import mqtt from 'mqtt';
import { currentTraceparent, withSpan } from '#core/telemetry/tracing.ts';
import { startExternalNode } from './external-node.ts';
import { until } from './fixture.ts';
import { createMosquitto, skipWithoutMosquitto } from './mosquitto.ts';
import { startTestTracing } from '../../support/test-tracing.ts';

describe('publish()', { skip: skipWithoutMosquitto }, () => {
  it('tells a device of which trace a message is, and when it expires', async () => {
    const broker = await createMosquitto();
    await broker.start();
    const node = await startExternalNode({ url: broker.url, nodeId: 'n1' });
    const tracing = await startTestTracing();
    const phone = await mqtt.connectAsync(broker.url, { clientId: 'phone', protocolVersion: 5 });
    try {
      const told: unknown[] = [];
      phone.on('message', (_topic, _payload, { properties = {} }) => {
        told.push([{ ...properties.userProperties }, properties.messageExpiryInterval !== undefined]);
      });
      await phone.subscribeAsync('drivers/d1/offers', { qos: 1 });
      const publish = (expiry: { readonly expirySeconds?: number } = {}): Promise<void> =>
        node.transport.publish('drivers/d1/offers', 'offer', { qos: 1, retain: false, ...expiry });
      const traceparent = await withSpan('offer', {}, async () => {
        await publish({ expirySeconds: 30 });
        await publish();
        return currentTraceparent();
      });
      await publish();
      await until('all have come', () => told.length === 3);
      assert.deepEqual(told, [
        [{ traceparent }, true],
        [{ traceparent }, false],
        [{}, false],
      ]);
    } finally {
      await phone.endAsync(true);
      await tracing.stop();
      await node.stop();
      await broker.stop();
    }
  });
});
