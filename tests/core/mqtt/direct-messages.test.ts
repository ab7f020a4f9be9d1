import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Duplex, PassThrough } from 'node:stream';
import { afterEach, describe, it, mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import mqtt from 'mqtt';
import mqttPacket from 'mqtt-packet';
import { FrameGate, type FrameGateOptions } from '#core/mqtt/frame-gate.ts';
import { ReadTurn } from '#core/mqtt/read-turn.ts';
import { acceptAll, createFixture, eventOf, until, type Fixture } from './fixture.ts';

let fixture: Fixture | undefined;
afterEach(async () => {
  await fixture?.stop();
  fixture = undefined;
});

const publish = (messageId: number, qos: 1 | 2 = 1): Buffer =>
  mqttPacket.generate({ cmd: 'publish', topic: 'a', payload: 'x', qos, messageId, dup: false, retain: false });
const ping = mqttPacket.generate({ cmd: 'pingreq' });

interface Sides {
  readonly gate: FrameGate;
  /** What the peer sends. */
  readonly inbound: PassThrough;
  /** What the peer gets. */
  readonly outbound: PassThrough;
  readonly taken: number[];
}

function createSides(options: Partial<FrameGateOptions> = {}): Sides {
  const inbound = new PassThrough();
  const outbound = new PassThrough();
  const taken: number[] = [];
  const gate = new FrameGate({
    socket: Duplex.from({
      readable: inbound as unknown as ReadableStream,
      writable: outbound as unknown as WritableStream,
    }),
    packetMaxBytes: 1000,
    ordered: true,
    connectFirst: false,
    admit: (head, mayTake) => (mayTake && head.qos === 1 ? 'take' : 'pass'),
    take: ({ messageId }) => void taken.push(messageId),
    ...options,
  });
  gate.on('error', () => undefined);
  return { gate, inbound, outbound, taken };
}

describe('FrameGate with messages that it takes', () => {
  it('acknowledges them by itself, in the order of receipt, each once', async () => {
    const { gate, inbound, outbound, taken } = createSides();
    gate.resume();
    inbound.write(Buffer.concat([publish(5), publish(6), publish(5), publish(7)]));
    await until('all are taken', () => taken.length === 3);
    for (const messageId of [7, 6]) gate.release(messageId);
    await turn();
    assert.equal(gate.held, 3);
    gate.release(5);
    await until('all are acknowledged', () => outbound.readableLength === 12);
    assert.equal((outbound.read() as Buffer).toString('hex'), '400200054002000640020007');
    assert.equal(gate.held, 0);
    gate.destroy();
  });

  it('reads for one turn of the event loop, then lets everything else have its own', async () => {
    let nowMs = 0;
    const reading = new ReadTurn({ maxMs: 2, now: () => nowMs });
    const taken: number[] = [];
    const runs: number[] = [];
    let others = 0;
    const { gate, inbound } = createSides({
      turn: reading,
      take: ({ messageId }) => {
        nowMs += 1;
        taken.push(messageId);
        runs[others] = (runs[others] ?? 0) + 1;
      },
    });
    let other = setImmediate(function go() {
      others += 1;
      other = setImmediate(go);
    });
    gate.resume();
    const ended = once(gate, 'end');
    inbound.end(Buffer.concat([publish(1), publish(2), publish(3), publish(4), publish(5)]));
    await until('all are taken', () => taken.length === 5);
    clearImmediate(other);
    assert.deepEqual(Object.values(runs), [2, 2, 1]);
    assert.deepEqual(taken, [1, 2, 3, 4, 5]);
    await ended;
    gate.destroy();
  });

  it('lets none overtake what the library has yet to read', async () => {
    const { gate, inbound, taken } = createSides();
    inbound.write(Buffer.concat([ping, publish(1), publish(2)]));
    await once(gate, 'readable');
    const bytes = Buffer.concat([ping, publish(1), publish(2)]);
    assert.deepEqual(gate.read(), bytes);
    assert.deepEqual(taken, []);
    inbound.write(publish(3));
    await until('the next is taken', () => taken.length === 1);
    gate.destroy();
  });

  it('ends a peer that is silent for longer than its keep-alive, and counts what it takes as a sign of life', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      let nowMs = 0;
      const pass = (ms: number): void => {
        nowMs += ms;
        mock.timers.tick(ms);
      };
      const { gate, inbound, taken } = createSides({ now: () => nowMs });
      gate.resume();
      gate.setKeepalive(10);
      for (const messageId of [1, 2, 3]) {
        pass(14_000);
        inbound.write(publish(messageId));
        await until('it is taken', () => taken.length === messageId);
      }
      pass(14_999);
      assert.ok(!gate.destroyed);
      pass(1);
      assert.ok(gate.destroyed);
    } finally {
      mock.timers.reset();
    }
  });

  it('does not count against a peer that its packets have to wait', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      let nowMs = 0;
      const { gate, inbound } = createSides({ admit: () => 'wait', now: () => nowMs });
      gate.resume();
      gate.setKeepalive(10);
      inbound.write(publish(1));
      await until('it waits', () => gate.waiting);
      for (let round = 0; round < 3; round += 1) {
        nowMs += 15_000;
        mock.timers.tick(15_000);
      }
      assert.ok(!gate.destroyed);
      gate.destroy();
    } finally {
      mock.timers.reset();
    }
  });
});

describe('createEmbeddedBroker() with messages for plugins and devices', () => {
  it('brings a message to plugins, and to devices from their SUBACK to their UNSUBACK', async () => {
    const current = (fixture = await createFixture());
    const seen: string[] = [];
    await current.subscribe('drivers/+/location', async (messages) => {
      seen.push(...messages.map(({ payload }) => payload));
      return acceptAll(messages);
    });
    // Both of one user, whose secret is issued once.
    const options = await current.deviceOptions('d1');
    const device = await mqtt.connectAsync(current.broker.address, options);
    const display = await mqtt.connectAsync(current.broker.address, { ...options, clientId: 'display' });
    const shown: string[] = [];
    display.on('message', (_topic, payload) => shown.push(payload.toString()));
    await device.publishAsync('drivers/d1/location', '1', { qos: 1 });
    await display.subscribeAsync('drivers/d1/+', { qos: 0 });
    await device.publishAsync('drivers/d1/location', '2', { qos: 1 });
    await until('the display shows it', () => shown.length === 1);
    await display.unsubscribeAsync('drivers/d1/+');
    await device.publishAsync('drivers/d1/location', '3', { qos: 1 });
    await display.subscribeAsync('drivers/d1/#', { qos: 0 });
    const closed = eventOf(display, 'close');
    display.end(true);
    await closed;
    await device.publishAsync('drivers/d1/location', '4', { qos: 1 });
    assert.deepEqual(shown, ['2']);
    assert.deepEqual(seen, ['1', '2', '3', '4']);
    await device.endAsync(true);
  });
});
