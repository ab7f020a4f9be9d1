import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { createLiveCapability } from '#core/plugin-host/capabilities/live.ts';
import { callCapability, createFakeInstance } from '../../support/fake-instance.ts';
import { until } from '../../support/until.ts';
import { startLiveServer } from './live-server.ts';

const pattern = 'orders/{orderId}/position';
const channel = 'orders/1/position';

describe('the live capability', { timeout: 60_000 }, () => {
  it('replaces what an earlier process declared, and refuses the channels of another plugin', async (t) => {
    const server = await startLiveServer(t);
    const capability = createLiveCapability(server);
    const declare = (instance: ReturnType<typeof createFakeInstance>, name: string): Promise<unknown> =>
      callCapability(capability, instance, {
        method: 'channel',
        args: {
          pattern: `orders/{${name}}/position`,
          handler: instance.add(() => ({ allowed: false, reason: instance.id })),
        },
      });
    const first = createFakeInstance('tracking');
    await declare(first, 'orderId');
    await assert.rejects(declare(createFakeInstance('thief'), 'other'), {
      code: 'INVALID_CALL',
      message: `Cannot declare channel "orders/{other}/position": tracking has declared "${pattern}"`,
    });
    const client = server.connect();
    await once(client.socket, 'open');
    const ask = async (): Promise<string | undefined> => {
      const seen = client.frames.length;
      client.send({ watch: channel });
      await until('an answer arrives', () => client.frames.length > seen);
      return client.frames.at(-1)?.reason;
    };
    assert.equal(await ask(), first.id);
    first.die();
    assert.equal(await ask(), 'not available now, try again later');
    const second = createFakeInstance('tracking');
    await declare(second, 'id');
    assert.equal(await ask(), second.id);
  });

  it('does not let anybody watch on an answer of another form', async (t) => {
    const server = await startLiveServer(t);
    const capability = createLiveCapability(server);
    const instance = createFakeInstance('tracking');
    const answers: unknown[] = [
      null,
      {},
      { allowed: 'yes' },
      { allowed: 1 },
      { allowed: false },
      { allowed: true, snapshot: 1 },
    ];
    const handler = instance.add(() => answers.shift());
    await callCapability(capability, instance, { method: 'channel', args: { pattern, handler } });
    const client = server.connect();
    await once(client.socket, 'open');
    for (let index = 0; index < 6; index += 1) {
      client.send({ watch: channel });
      await until('an answer arrives', () => client.frames.length > index);
      assert.equal(client.frames.at(-1)?.reason, 'not available now, try again later');
    }
  });

  it('closes a channel for all who watch it, with the reason', async (t) => {
    const server = await startLiveServer(t);
    const capability = createLiveCapability(server);
    const instance = createFakeInstance('tracking');
    const handler = instance.add(() => ({ allowed: true }));
    await callCapability(capability, instance, { method: 'channel', args: { pattern, handler } });
    const client = server.connect();
    await once(client.socket, 'open');
    client.send({ watch: channel });
    await until('it watches', async () => {
      await callCapability(capability, instance, { method: 'publish', args: { channel, data: { n: 1 } } });
      return client.frames.length > 0;
    });
    await callCapability(capability, instance, { method: 'close', args: { channel, reason: 'delivered' } });
    assert.deepEqual(await client.next('closed'), { type: 'closed', channel, reason: 'delivered' });
    assert.equal(client.socket.readyState, client.socket.OPEN);
  });
});
