/** A broker that has too much to do to keep its word. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { startExternalNode, type ExternalNode } from './external-node.ts';
import { holdCommits, until } from './fixture.ts';
import { filter, startScriptedBroker, toPublish, type ScriptedBroker } from './scripted-broker.ts';

interface Setting {
  readonly broker: ScriptedBroker;
  readonly node: ExternalNode;
  readonly seen: readonly string[];
  /** Until then nothing is committed. */
  readonly commit: () => void;
}

const windowMax = 20;

async function start(t: TestContext): Promise<Setting> {
  const broker = await startScriptedBroker(t, () => 'granted');
  const config = { mqttShareGuard: 'plain', mqttInflightMax: 2 * windowMax } as const;
  const node = await startExternalNode({ url: broker.url, nodeId: 'n1', config, keepaliveSeconds: 1 });
  t.after(() => node.stop());
  const { handler, seen, commit } = holdCommits();
  await node.subscribe(filter, handler);
  await until('it has subscribed', () => broker.subscribed.length === 1);
  return { broker, node, seen, commit };
}

const held = ({ node }: Setting): Promise<number> => node.sample('returnit_mqtt_inflight_messages');

function send({ broker }: Setting, count: number): void {
  for (let id = 1; id <= count; id += 1) broker.connections.at(-1)?.write(toPublish(String(id), id));
}

/** Twice as long as after which a silent one is given up. */
async function untilPinged({ broker }: Setting, more: () => void = () => undefined): Promise<void> {
  const before = broker.pings;
  await until('it has pinged', () => {
    more();
    return broker.pings >= before + 6;
  });
}

describe('a broker with too much to do', () => {
  it('that sends more than the window is read no further than that, and the rest comes later', async (t) => {
    const setting = await start(t);
    send(setting, 3 * windowMax);
    await until('the window is full', async () => (await held(setting)) === windowMax);
    // Time enough for the rest, and longer than it may be silent.
    await untilPinged(setting);
    assert.equal(await held(setting), windowMax);
    // One, and it was told.
    assert.deepEqual(setting.broker.windows, [windowMax]);
    setting.commit();
    await until('all are handled', () => setting.seen.length === 3 * windowMax);
    assert.deepEqual(
      setting.seen,
      Array.from({ length: 3 * windowMax }, (_, index) => String(index + 1)),
    );
  });

  it('that answers no ping is alive for as long as messages come', async (t) => {
    const setting = await start(t);
    setting.commit();
    let id = 0;
    await untilPinged(setting, () =>
      setting.broker.connections[0]?.write(toPublish(String((id += 1)), (id % 1000) + 1)),
    );
    assert.equal(setting.broker.connections.length, 1);
  });

  it('that is silent is given up', async (t) => {
    const setting = await start(t);
    await until('it is asked again on another connection', () => setting.broker.connections.length === 2);
  });
});
