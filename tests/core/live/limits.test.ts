import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { WatchDecision } from '#plugin-api';
import type { RelayReceiver } from '#core/live/relay.ts';
import { until } from '../../support/until.ts';
import { allow, startLiveServer } from './live-server.ts';

const pattern = 'orders/{orderId}/position';
const channel = 'orders/1/position';

describe('live connections', { timeout: 60_000 }, () => {
  it('take up many channels again in one message, each from its own version', async (t) => {
    const server = await startLiveServer(t);
    server.hub.declare(pattern, {
      plugin: 'tracking',
      authorize: (_principal, { orderId = '' }) =>
        Promise.resolve({ allowed: true, snapshot: { n: Number(orderId) }, version: 10 }),
    });
    const client = server.connect();
    await once(client.socket, 'open');
    client.send({ resume: { 'orders/1/position': 10, 'orders/2/position': 9, 'orders/3/position': null } });
    await until('all have begun', () => client.frames.length === 3);
    assert.deepEqual(
      client.frames
        .map((frame) => [frame.channel, frame.type, frame.version])
        .toSorted(([one], [other]) => String(one).localeCompare(String(other))),
      [
        ['orders/1/position', 'resumed', 10],
        ['orders/2/position', 'snapshot', 10],
        ['orders/3/position', 'snapshot', 10],
      ],
    );
    client.send({ watch: 'orders/4/position', since: 11 });
    await until('it has begun', () => client.frames.length === 4);
    assert.equal(await server.sample('returnit_live_watches'), 4);
    assert.equal(await server.sample('returnit_live_channels_watched'), 4);
    client.send({ unwatch: 'orders/4/position' });
    await until('one is left out', async () => (await server.sample('returnit_live_watches')) === 3);
  });

  it('answer a ping of the client, and are ended when they watch nothing', async (t) => {
    const server = await startLiveServer(t, { liveIdleTimeoutMs: 200 });
    server.hub.declare(pattern, { plugin: 'tracking', authorize: allow });
    const idle = server.connect({ token: 'customer-idle' });
    const watching = server.connect();
    await Promise.all([idle, watching].map(({ socket }) => once(socket, 'open')));
    watching.send({ watch: channel });
    await watching.next('snapshot');
    assert.deepEqual(await idle.closed, [4408, 'nothing was watched']);
    watching.send({ ping: 7 });
    assert.deepEqual(await watching.next('pong'), { type: 'pong', ping: 7 });
    server.hub.close(channel, 'delivered');
    assert.deepEqual(await watching.closed, [4408, 'nothing was watched']);
    assert.equal(await server.sample('returnit_live_connections_ended_total{transport="ws",reason="idle"}'), 2);
  });

  it('watch no more channels than one may, and than all may', async (t) => {
    const server = await startLiveServer(t, { liveChannelsPerConnectionMax: 2, liveWatchesMax: 3 });
    server.hub.declare(pattern, { plugin: 'tracking', authorize: allow });
    const [first, second] = [server.connect(), server.connect({ token: 'driver-kim' })];
    await Promise.all([first, second].map(({ socket }) => once(socket, 'open')));
    for (const id of [1, 2, 3]) first.send({ watch: `orders/${id}/position` });
    assert.equal((await first.next('refused')).reason, 'at most 2 channels a connection');
    for (const id of [1, 2]) second.send({ watch: `orders/${id}/position` });
    assert.equal((await second.next('refused')).reason, 'too much is watched already');
    first.send({ unwatch: channel });
    await until('there is room', async () => (await server.sample('returnit_live_watches')) === 2);
    second.send({ watch: 'orders/9/position' });
    await until('it watches', () => second.frames.some((frame) => frame.channel === 'orders/9/position'));
  });

  it('lose a channel when its owner, asked again, says no; the others keep it', async (t) => {
    const server = await startLiveServer(t);
    let decisions: Record<string, WatchDecision> = {};
    server.hub.declare(pattern, {
      plugin: 'tracking',
      authorize: ({ principal: { role } }) =>
        Promise.resolve(decisions[role] ?? { allowed: true, snapshot: { n: 1 }, version: 1 }),
    });
    const [customer, ops] = [server.connect(), server.connect({ token: 'ops-sam' })];
    await Promise.all([customer, ops].map(({ socket }) => once(socket, 'open')));
    for (const client of [customer, ops]) {
      client.send({ watch: channel });
      await client.next('snapshot');
    }
    decisions = {
      customer: { allowed: false, reason: 'not now' },
      ops: { allowed: true, snapshot: { n: 2 }, version: 2 },
    };
    server.hub.recheck(channel);
    assert.equal((await customer.next('closed')).reason, 'not now');
    assert.deepEqual((await ops.next('change')).data, { n: 2 });
    server.hub.publish(channel, { n: 3 }, 3);
    await until('the other has it', () => ops.frames.at(-1)?.data?.n === 3);
    assert.ok(!customer.frames.some(({ type }) => type === 'change'));
    assert.equal(await server.sample('returnit_live_rechecks_total{outcome="denied"}'), 1);
  });

  it('are asked for once more after a gap in the middle of asking', async (t) => {
    let onGap = (): void => undefined;
    const relay = { send: () => undefined, listen: (receiver: RelayReceiver) => (onGap = () => receiver.onGap()) };
    const server = await startLiveServer(t, {}, { relay });
    const asked: (() => void)[] = [];
    let version = 1;
    server.hub.declare(pattern, {
      plugin: 'tracking',
      async authorize() {
        const snapshot = { n: version };
        if (version > 1) await new Promise<void>((resolve) => asked.push(resolve));
        return { allowed: true, snapshot, version: snapshot.n };
      },
    });
    const client = server.connect();
    await once(client.socket, 'open');
    client.send({ watch: channel });
    await client.next('snapshot');
    version = 2;
    onGap();
    await until('it is asked', () => asked.length === 1);
    // What comes now is lost, and the answer under way does not know of it.
    version = 3;
    onGap();
    asked[0]?.();
    await until('it is asked once more', () => asked.length === 2);
    asked[1]?.();
    await until('nothing is missing', () => client.frames.at(-1)?.data?.n === 3);
    assert.equal(asked.length, 2);
  });

  it('are asked for again from time to time', async (t) => {
    const server = await startLiveServer(t, { liveRecheckMs: 100 });
    let allowed = true;
    server.hub.declare(pattern, {
      plugin: 'tracking',
      authorize: () => Promise.resolve(allowed ? { allowed } : { allowed, reason: 'over' }),
    });
    const client = server.connect();
    await once(client.socket, 'open');
    client.send({ watch: channel });
    await until('it watches', async () => (await server.sample('returnit_live_watches')) === 1);
    allowed = false;
    assert.equal((await client.next('closed')).reason, 'over');
  });
});
