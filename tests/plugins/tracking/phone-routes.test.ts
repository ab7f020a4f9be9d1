import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Principal } from '#plugin-api';
import { plugin } from '../../../plugins/tracking/plugin.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';

const device: Principal = { id: 'd1.phone', role: 'device', publish: ['drivers/d1/location', 'owntracks/d1/phone'] };

describe("phones' routes", () => {
  let data: PluginDatabase;
  let running: RunningPlugin;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders', 'drivers');
    await data.sql(
      `insert into drivers.drivers (driver_id, name, vehicle, status) values ('d1', 'One', 'van', 'approved')`,
    );
  });
  after(() => data.stop());
  beforeEach(async () => {
    running = await runPlugin(plugin, data.db, {
      TRACKING_DEVICE_FIXES_PER_SECOND: '1',
      TRACKING_DEVICE_FIXES_BURST: '3',
    });
  });

  let step = 0;
  const fix = (): Record<string, string> => {
    step += 1;
    return { lat: '48.1', lon: `11.${step}`, timestamp: String(Math.floor(Date.now() / 1000) - 10) };
  };
  const get = (query: object, principal = device): Promise<Reply> =>
    running.request('GET /tracking/osmand', { principal, query });
  const post = (query: object, body: string, headers: Record<string, string> = {}): Promise<Reply> =>
    running.request('POST /tracking/osmand', { principal: device, query, body, headers });
  const counted = (format: string, outcome: string): number =>
    running.counted('returnit_tracking_phone_requests_total', { format, outcome });

  it('takes a form as it takes a query, and a form by its look when its type is missing', async () => {
    const form = new URLSearchParams(fix()).toString();
    const typed = await post({}, form, { 'content-type': 'application/x-www-form-urlencoded' });
    const untyped = await post({ id: 'd1' }, form);
    assert.deepEqual([typed.body, untyped.body], [{ outcome: 'accepted' }, { outcome: 'accepted' }]);
    assert.equal(running.counted('returnit_tracking_fixes_total', { outcome: 'known' }), 1);
    assert.equal(counted('osmand', 'accepted'), 2);
  });

  it('answers 429 to a device that has spent what it may send', async () => {
    const last = fix();
    for (const query of [fix(), fix(), fix()]) assert.equal((await get(query)).status, 200);
    const over = await get(last);
    assert.deepEqual([over.status, over.code, over.headers?.['retry-after']], [429, 'DEVICE_OVER_BUDGET', '1']);
    assert.equal(counted('osmand', 'over_budget'), 1);
  });

  it("takes nothing from credentials that are no driver's, nor for another id", async () => {
    const scanner = { id: 'd1.phone', role: 'device', publish: ['scanners/d1/scan'] } as const;
    const answers = [
      await get(fix(), scanner),
      await get({ ...fix(), id: 'd2' }),
      await get({ ...fix(), deviceid: 'd1.tablet' }),
      await get({ ...fix(), id: ['d1', 'd2'] }),
      await post({ id: 'd1' }, JSON.stringify({ device_id: '48241179', location: {} })),
    ];
    for (const { status, code } of answers) assert.deepEqual([status, code], [403, 'DEVICE_FOREIGN']);
    assert.equal(counted('osmand', 'foreign'), answers.length);
  });

  it('keeps of a query only what is read', async () => {
    const before = running.recorded.metrics.length;
    const query = { ...fix(), lat: '95', wifi: 'aa-bb-cc-dd-ee-ff,-60', cell: '310,410,1,2' };
    const bad = await get(query);
    assert.deepEqual([bad.status, bad.code], [400, 'FIX_REJECTED']);
    assert.ok(running.recorded.metrics.length > before);
    assert.doesNotMatch(JSON.stringify(running.recorded), /aa-bb-cc|310,410/);
  });
});
