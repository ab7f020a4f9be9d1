import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Principal } from '#plugin-api';
import { plugin } from '../../../plugins/drivers/plugin.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';

const ops: Principal = { id: 'o1', role: 'ops' };

describe('drivers', () => {
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

  it('answers a repeated registration as the first time, when it has a key', async () => {
    const keyed = (principal: Principal, key: string): Promise<Reply> =>
      running.request('POST /drivers', {
        principal,
        headers: { 'idempotency-key': key },
        body: { name: 'Kim', vehicle: 'van' },
      });
    const first = await keyed(ops, 'k1');
    const again = await keyed(ops, 'k1');
    assert.deepEqual([first.status, again.status], [201, 200]);
    assert.equal(again.body['driverId'], first.body['driverId']);
    assert.match(
      String(first.body['driverId']),
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    const others = [await keyed(ops, 'k2'), await keyed({ id: 'o2', role: 'ops' }, 'k1')];
    assert.equal(new Set([first, ...others].map(({ body }) => body['driverId'])).size, 3);
  });

  it('changes what ops says of a driver, unless it has changed meanwhile', async () => {
    const { headers } = await register({ driverId: 'd1', name: 'Kim', vehicle: 'bicycle' });
    const change = (body: object, etag?: string): Promise<Reply> =>
      running.request('PATCH /drivers/{driverId}', {
        principal: ops,
        params: { driverId: 'd1' },
        body,
        headers: etag === undefined ? {} : { 'if-match': etag },
      });
    const etag = headers?.['etag'] ?? '';
    const changed = await change({ capacity: { parcels: 9, volumeL: 90 }, autoAccept: true }, etag);
    assert.deepEqual([changed.body['capacity'], changed.body['autoAccept']], [{ parcels: 9, volumeL: 90 }, true]);
    const stale = await change({ name: 'Lou' }, etag);
    assert.deepEqual([stale.status, stale.code], [412, 'DRIVER_CHANGED']);
    const usual = await change({ vehicle: 'van', capacity: null });
    assert.deepEqual(usual.body['capacity'], { parcels: 150, volumeL: 6000 });
    assert.equal((await change({})).code, 'VALIDATION_FAILED');
  });

  it('keeps no driver whose id is the name of a route', async () => {
    for (const driverId of ['offers', 'assignments']) {
      assert.equal((await register({ driverId, name: 'x', vehicle: 'car' })).code, 'DRIVER_ID_RESERVED');
    }
  });
});
