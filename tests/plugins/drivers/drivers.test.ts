import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Principal } from '#plugin-api';
import { accessOf, activeDevicesMax } from '../../../plugins/drivers/driver.ts';
import { plugin } from '../../../plugins/drivers/plugin.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';

const ops: Principal = { id: 'o1', role: 'ops' };

const publishOfD1 = [
  'drivers/d1/location',
  'drivers/d1/status',
  'owntracks/d1/phone',
  'owntracks/d1.phone/+',
  'owntracks/d1/phone/+',
  'owntracks/d1.phone/+/+',
];

describe('drivers', () => {
  let data: PluginDatabase;
  let running: RunningPlugin;
  before(async () => {
    data = await createPluginDatabase('drivers', 'tracking');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate drivers, driver_devices, assignments');
    running = await runPlugin(plugin, data.db);
  });

  const register = (body: object): Promise<Reply> => running.request('POST /drivers', { principal: ops, body });
  const issue = (driverId: string, deviceId: string): Promise<Reply> =>
    running.request('POST /drivers/{driverId}/devices', { principal: ops, params: { driverId }, body: { deviceId } });

  it('registers a driver once', async () => {
    const first = await register({ name: 'Kim', vehicle: 'van' });
    assert.equal(first.status, 201);
    assert.equal(first.body['onShift'], false);
    assert.equal((await register({ driverId: 'd1', name: 'Kim', vehicle: 'van' })).status, 201);
    const again = await register({ driverId: 'd1', name: 'Lou', vehicle: 'car' });
    assert.deepEqual([again.status, again.code], [409, 'DRIVER_EXISTS']);
  });

  it('lets a driver see and change nobody but himself', async () => {
    await register({ driverId: 'd1', name: 'Kim', vehicle: 'van' });
    const params = { driverId: 'd1' };
    const shift = (id: string, onShift: boolean): Promise<Reply> =>
      running.request('POST /drivers/{driverId}/shift', {
        principal: { id, role: 'driver' },
        params,
        body: { onShift },
      });
    assert.equal((await shift('d2', true)).code, 'DRIVER_NOT_FOUND');
    const on = await shift('d1', true);
    assert.equal(on.body['onShift'], true);
    assert.equal((await shift('d1', true)).body['shiftChangedAt'], on.body['shiftChangedAt']);
    const see = (principal: Principal, driverId: string): Promise<Reply> =>
      running.request('GET /drivers/{driverId}', { principal, params: { driverId } });
    assert.equal((await see({ id: 'd1', role: 'driver' }, 'd1')).status, 200);
    assert.equal((await see({ id: 'd2', role: 'driver' }, 'd1')).status, 404);
    assert.equal((await see(ops, 'nobody')).status, 404);
  });

  it('lists drivers page by page', async () => {
    for (const driverId of ['d3', 'd1', 'd2']) await register({ driverId, name: 'x', vehicle: 'car' });
    const first = await running.request('GET /drivers', { principal: ops, query: { limit: 2 } });
    const cursor = String(first.body['nextCursor']);
    await register({ driverId: 'd0', name: 'x', vehicle: 'car' });
    const second = await running.request('GET /drivers', { principal: ops, query: { limit: 2, cursor } });
    const ids = [first, second].flatMap(({ body }) => body['drivers'] as { driverId: string }[]).map((d) => d.driverId);
    assert.deepEqual(ids, ['d1', 'd2', 'd3']);
    assert.equal(second.body['nextCursor'], null);
    const bad = await running.request('GET /drivers', { principal: ops, query: { cursor: '??' } });
    assert.equal(bad.code, 'DRIVER_CURSOR_INVALID');
  });

  it('issues credentials with which a device publishes under its own driver only, and keeps no password', async () => {
    await register({ driverId: 'd1', name: 'Kim', vehicle: 'van' });
    const issued = await issue('d1', 'phone');
    assert.equal(issued.status, 201);
    assert.deepEqual(issued.body, {
      deviceId: 'phone',
      username: 'd1.phone',
      password: 'shown-once',
      topic: 'drivers/d1/location',
    });
    assert.deepEqual(running.recorded.credentials, [{ username: 'd1.phone', publish: publishOfD1 }]);
    assert.doesNotMatch(JSON.stringify(await data.sql('select * from driver_devices')), /shown-once/);
    assert.equal((await issue('nobody', 'phone')).code, 'DRIVER_NOT_FOUND');
  });

  it('bounds the devices of a driver, also when they are asked for at the same moment', async () => {
    await register({ driverId: 'd1', name: 'Kim', vehicle: 'van' });
    const replies = await Promise.all(
      Array.from({ length: activeDevicesMax + 3 }, (_, index) => issue('d1', `phone-${index}`)),
    );
    assert.equal(replies.filter(({ status }) => status === 201).length, activeDevicesMax);
    assert.equal(replies.filter(({ code }) => code === 'DEVICE_LIMIT_REACHED').length, 3);
    const again = replies.findIndex(({ status }) => status === 201);
    assert.equal((await issue('d1', `phone-${again}`)).status, 201);
  });

  it('revokes a device and makes room for another', async () => {
    await register({ driverId: 'd1', name: 'Kim', vehicle: 'van' });
    await issue('d1', 'phone');
    const revoke = (deviceId: string): Promise<Reply> =>
      running.request('DELETE /drivers/{driverId}/devices/{deviceId}', {
        principal: ops,
        params: { driverId: 'd1', deviceId },
      });
    const revoked = await revoke('phone');
    assert.equal(typeof revoked.body['revokedAt'], 'string');
    assert.deepEqual(running.recorded.revoked, ['d1.phone']);
    assert.equal((await revoke('tablet')).code, 'DEVICE_NOT_FOUND');
    const list = await running.request('GET /drivers/{driverId}/devices', {
      principal: ops,
      params: { driverId: 'd1' },
    });
    assert.equal((list.body['devices'] as unknown[]).length, 1);
    await issue('d1', 'phone');
    const [device] = await data.sql('select revoked_at from driver_devices');
    assert.equal(device?.['revoked_at'], null);
  });
});

describe('accessOf()', () => {
  it('names no topic of another driver', () => {
    assert.deepEqual(accessOf('d1', 'phone'), {
      username: 'd1.phone',
      topic: 'drivers/d1/location',
      publish: publishOfD1,
    });
  });
});
