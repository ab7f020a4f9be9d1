import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { usernamePattern } from '#core/mqtt/device-username.ts';
import type { Principal } from '#plugin-api';
import { accessOf, activeDevicesMax, deviceIdPattern } from '../../../plugins/drivers/device.ts';
import { driverIdPattern } from '../../../plugins/drivers/driver.ts';
import { plugin } from '../../../plugins/drivers/plugin.ts';
import { until } from '../../support/until.ts';
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

describe('devices of drivers', () => {
  let data: PluginDatabase;
  let running: RunningPlugin;
  before(async () => {
    data = await createPluginDatabase('drivers', 'tracking');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate drivers, driver_devices, driver_status_changes, driver_shifts, driver_documents cascade');
    running = await runPlugin(plugin, data.db);
  });

  const register = (body: object): Promise<Reply> => running.request('POST /drivers', { principal: ops, body });
  const issue = (driverId: string, deviceId: string): Promise<Reply> =>
    running.request('POST /drivers/{driverId}/devices', { principal: ops, params: { driverId }, body: { deviceId } });

  it('issues credentials with which a device publishes under its own driver only, and keeps no password', async () => {
    await register({ driverId: 'd1', name: 'Kim', vehicle: 'van' });
    const issued = await issue('d1', 'phone');
    assert.equal(issued.status, 201);
    assert.deepEqual(issued.body, {
      deviceId: 'phone',
      username: 'd1.phone',
      password: 'shown-once',
      topic: 'drivers/d1/location',
      offersTopic: 'drivers/d1/offers',
    });
    assert.deepEqual(running.recorded.credentials, [
      { username: 'd1.phone', publish: publishOfD1, subscribe: ['drivers/d1/offers'] },
    ]);
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

  it('replaces the password of a device that is in use, for its driver and for ops', async () => {
    await register({ driverId: 'd1', name: 'Kim', vehicle: 'van' });
    await issue('d1', 'phone');
    const rotate = (principal: Principal, deviceId = 'phone'): Promise<Reply> =>
      running.request('POST /drivers/{driverId}/devices/{deviceId}/rotate', {
        principal,
        params: { driverId: 'd1', deviceId },
      });
    const rotated = await rotate({ id: 'd1', role: 'driver' });
    assert.deepEqual([rotated.status, rotated.body['password']], [200, 'shown-once']);
    assert.equal(rotated.headers?.['cache-control'], 'no-store');
    assert.equal((await rotate(ops)).status, 200);
    assert.equal(running.recorded.credentials.length, 3);
    assert.equal((await rotate({ id: 'd2', role: 'driver' })).code, 'DRIVER_NOT_FOUND');
    assert.equal((await rotate(ops, 'tablet')).code, 'DEVICE_NOT_FOUND');
    await running.request('DELETE /drivers/{driverId}/devices/{deviceId}', {
      principal: ops,
      params: { driverId: 'd1', deviceId: 'phone' },
    });
    assert.equal((await rotate({ id: 'd1', role: 'driver' })).code, 'DEVICE_NOT_FOUND');
    assert.equal(running.recorded.credentials.length, 3);
  });

  it('stays revoked when its password is replaced at the same moment', async () => {
    await register({ driverId: 'd1', name: 'Kim', vehicle: 'van' });
    await issue('d1', 'phone');
    const params = { driverId: 'd1', deviceId: 'phone' };
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const { promise: isHeld, resolve: hold } = Promise.withResolvers<void>();
    // Somebody has the device's row: both have begun when it is let go.
    const holding = data.db.transaction(async (tx) => {
      await tx.query({ name: 'hold_devices', text: 'select from driver_devices for update' });
      hold();
      await gate;
    });
    await isHeld;
    const waiting = (count: number) =>
      until(`${count} wait`, async () => {
        const rows = await data.sql(`select from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`);
        return rows.length === count;
      });
    const revoking = running.request('DELETE /drivers/{driverId}/devices/{deviceId}', { principal: ops, params });
    await waiting(1);
    const route = 'POST /drivers/{driverId}/devices/{deviceId}/rotate';
    const rotating = running.request(route, { principal: { id: 'd1', role: 'driver' }, params });
    await waiting(2);
    open();
    const [, revoked, rotated] = await Promise.all([holding, revoking, rotating]);
    assert.deepEqual([revoked.status, rotated.code], [200, 'DEVICE_NOT_FOUND']);
    const [device] = await data.sql('select revoked_at is not null as revoked from driver_devices');
    assert.equal(device?.['revoked'], true);
    assert.equal(running.recorded.credentials.length, 1);
  });

  it('are all cut off when their driver is suspended, and issued again when it is approved again', async () => {
    await register({ driverId: 'd1', name: 'Kim', vehicle: 'van' });
    for (const deviceId of ['phone', 'tablet']) await issue('d1', deviceId);
    const post = (verb: string, body?: object): Promise<Reply> =>
      running.request(`POST /drivers/{driverId}/${verb}`, { principal: ops, params: { driverId: 'd1' }, body });
    await post('suspend', { reason: 'complaint' });
    const rows = await data.sql('select suspended from driver_device');
    assert.deepEqual(rows, [{ suspended: true }, { suspended: true }]);
    const [job] = data.find('drivers.revoke');
    assert.ok(job !== undefined);
    await running.work('drivers.revoke', job.data);
    assert.deepEqual(running.recorded.revoked.toSorted(), ['d1.phone', 'd1.tablet']);
    assert.equal((await issue('d1', 'phone')).code, 'DRIVER_NOT_APPROVED');
    await post('approve');
    assert.equal((await issue('d1', 'phone')).status, 201);
    // The job again: what was issued since stays.
    running.recorded.revoked.length = 0;
    await running.work('drivers.revoke', job.data);
    assert.deepEqual(running.recorded.revoked, ['d1.tablet']);
  });
});

describe('accessOf()', () => {
  it('names no topic of another driver', () => {
    assert.deepEqual(accessOf('d1', 'phone'), {
      username: 'd1.phone',
      topic: 'drivers/d1/location',
      publish: publishOfD1,
      subscribe: ['drivers/d1/offers'],
    });
  });

  it('makes names that the core takes, of every driver and device that there may be', () => {
    const driver = fc.stringMatching(new RegExp(driverIdPattern));
    const device = fc.stringMatching(new RegExp(deviceIdPattern));
    fc.assert(
      fc.property(driver, device, (driverId, deviceId) => {
        assert.match(accessOf(driverId, deviceId).username, new RegExp(usernamePattern));
      }),
    );
    assert.match(accessOf('_', '0').username, new RegExp(usernamePattern));
  });
});
