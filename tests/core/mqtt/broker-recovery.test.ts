import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { startExternalNode, type ExternalNode } from './external-node.ts';
import { acceptAll, holdCommits, until } from './fixture.ts';
import { filter, startScriptedBroker, toPublish, type ScriptedBroker } from './scripted-broker.ts';

async function startNode(t: TestContext, broker: ScriptedBroker, seen: string[]): Promise<ExternalNode> {
  const node = await startExternalNode({ url: broker.url, nodeId: 'n1', config: { mqttShareGuard: 'plain' } });
  t.after(() => node.stop());
  await node.subscribe(filter, async (messages) => {
    for (const { payload } of messages) seen.push(payload);
    return acceptAll(messages);
  });
  return node;
}

describe('a connection to an external broker', () => {
  it('asks again for a subscription that was refused, without ending', async (t) => {
    const broker = await startScriptedBroker(t, (attempt) => (attempt < 3 ? 'refused' : 'granted'));
    const seen: string[] = [];
    const node = await startNode(t, broker, seen);
    await until('it is granted', () => broker.subscribed.length === 3);
    assert.equal(broker.connections.length, 1);
    assert.equal(
      node.telemetry.lines.filter(({ msg }) => String(msg).startsWith('The broker refuses a subscription')).length,
      2,
    );
  });

  it('is opened again when what comes is no MQTT', async (t) => {
    const broker = await startScriptedBroker(t, (attempt) => (attempt === 1 ? 'garbage' : 'granted'));
    const seen: string[] = [];
    const node = await startNode(t, broker, seen);
    await until('it has subscribed on another connection', () => broker.subscribed.length === 2);
    assert.equal(broker.connections.length, 2);
    broker.connections[1]?.write(toPublish('after', 7));
    await until('messages come', () => seen.includes('after'));
    assert.equal(node.transport.connected, true);
  });

  it('that ends takes nothing along that the plugin has yet to handle', async (t) => {
    const broker = await startScriptedBroker(t, () => 'granted');
    const node = await startExternalNode({ url: broker.url, nodeId: 'n1', config: { mqttShareGuard: 'plain' } });
    t.after(() => node.stop());
    const { handler, seen, commit } = holdCommits();
    await node.subscribe(filter, handler);
    await until('it has subscribed', () => broker.subscribed.length === 1);
    const [first] = broker.connections;
    first?.write(toPublish('0', 7));
    first?.write(toPublish('1', 8));
    await until('both are there', async () => (await node.sample('returnit_mqtt_inflight_messages')) === 2);
    // As a broker that is killed and comes back without them.
    first?.destroy();
    await until('it is back', () => broker.subscribed.length === 2);
    commit();
    await until('both are handled', () => seen.length === 2);
    await until('nothing is in flight', async () => (await node.sample('returnit_mqtt_inflight_messages')) === 0);
  });
});
