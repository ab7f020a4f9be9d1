import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { MqttMessage, Principal, Verdict } from '#plugin-api';
import { plugin } from '../../../plugins/tracking/plugin.ts';
import { readSettings } from '../../../plugins/tracking/settings.ts';
import { countPresence, listPresence } from '../../../plugins/tracking/store/presence.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';

const ops: Principal = { id: 'o1', role: 'ops' };
const settings = readSettings({});

describe('readSettings()', () => {
  it('refuses thresholds that contradict each other', () => {
    for (const env of [
      { TRACKING_ONLINE_SECONDS: '900' },
      { TRACKING_OFFLINE_SECONDS: '60' },
      { TRACKING_DEPART_M: '100' },
    ]) {
      assert.throws(() => readSettings(env), RangeError, JSON.stringify(env));
    }
  });
});

describe('presence', () => {
  let data: PluginDatabase;
  let running: RunningPlugin;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate newest_positions, tracked_orders');
    running = await runPlugin(plugin, data.db);
  });

  const message = (topic: string, body: object, changes: Partial<MqttMessage> = {}): MqttMessage => ({
    topic,
    payload: JSON.stringify(body),
    username: `${topic.split('/')[1]}.phone`,
    receivedAt: new Date().toISOString(),
    retained: false,
    duplicate: false,
    ...changes,
  });
  const locate = (driverId: string, secondsAgo: number): Promise<readonly Verdict[]> =>
    running.receive('drivers/+/location', [
      message(`drivers/${driverId}/location`, { lat: 48, lon: 11, recordedAt: Date.now() / 1000 - secondsAgo }),
    ]);
  const bid = (driverId: string, body: object = { status: 'offline' }, changes: Partial<MqttMessage> = {}) =>
    running.receive('drivers/+/status', [message(`drivers/${driverId}/status`, body, changes)]);
  const list = (query: object = {}): Promise<Reply> =>
    running.request('GET /tracking/drivers', { principal: ops, query });
  const presenceOf = async (driverId: string): Promise<unknown> => {
    const { body } = await list();
    return (body['drivers'] as { driverId: string; presence: string }[]).find((row) => row.driverId === driverId)
      ?.presence;
  };

  it('is online, stale and offline by the age of the newest fix alone', async () => {
    await locate('fresh', 1);
    await locate('quiet', 300);
    await locate('gone', 1000);
    assert.deepEqual(
      [await presenceOf('fresh'), await presenceOf('quiet'), await presenceOf('gone')],
      ['online', 'stale', 'offline'],
    );
    const atMs = Date.now();
    await data.sql(`update newest_positions set recorded_at = $1 where driver_id = 'fresh'`, [new Date(atMs)]);
    const later = async (seconds: number) =>
      (await listPresence(data.db, { settings, nowMs: atMs + seconds * 1000, presence: null, after: 'e', limit: 1 }))[0]
        ?.presence;
    assert.deepEqual(
      [await later(119.999), await later(120), await later(899.999), await later(900)],
      ['online', 'stale', 'stale', 'offline'],
    );
  });

  it('a will turns stale into offline, and a driver with a fresh fix stays online', async () => {
    await locate('d1', 300);
    await locate('d2', 3);
    assert.deepEqual(await bid('d1'), ['accepted']);
    await bid('d2');
    assert.deepEqual([await presenceOf('d1'), await presenceOf('d2')], ['offline', 'online']);
    await locate('d1', 0);
    assert.equal(await presenceOf('d1'), 'online');
    assert.equal(running.counted('returnit_tracking_wills_total', { outcome: 'used' }), 2);
  });

  it("takes OwnTracks' will, with and without its time of connection", async () => {
    for (const [driverId, lwt] of [
      ['d1', { _type: 'lwt', tst: 1_700_000_000 }],
      ['d2', { _type: 'lwt' }],
    ] as const) {
      await locate(driverId, 300);
      const verdicts = await running.receive('owntracks/+/+', [message(`owntracks/${driverId}/phone`, lwt)]);
      assert.deepEqual(verdicts, ['accepted']);
      assert.equal(await presenceOf(driverId), 'offline');
    }
  });

  it('a late will, one of another device, and a retained one change nothing', async () => {
    await locate('d1', 300);
    const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();
    await bid('d1', { status: 'offline' }, { receivedAt: ago(301) });
    await bid('d1', { status: 'offline', at: ago(400) });
    await bid('d1', { status: 'offline' }, { username: 'd1.tablet' });
    await bid('d1', { status: 'offline' }, { retained: true });
    await bid('d1', { status: 'online' });
    assert.equal(await presenceOf('d1'), 'stale');
    assert.equal(running.counted('returnit_tracking_wills_total', { outcome: 'late' }), 3);
    await bid('d1', { status: 'offline', at: ago(299) });
    assert.equal(await presenceOf('d1'), 'offline');
    // A fix that was late itself, and is newer than the will, takes it back.
    await locate('d1', 290);
    assert.equal(await presenceOf('d1'), 'stale');
  });

  it('a will of a driver who has sent no fix, and wills of many at once, do no harm', async () => {
    await bid('nobody');
    assert.equal((await list()).body['nextCursor'], null);
    await Promise.all(['a', 'b', 'c', 'd'].map((driverId) => locate(driverId, 300)));
    const rounds = Array.from({ length: 12 }, async (_, round) => {
      const ids = round % 2 === 0 ? ['a', 'b', 'c', 'd'] : ['d', 'c', 'b', 'a'];
      await running.receive(
        'drivers/+/status',
        ids.flatMap((id) => [0, 1].map(() => message(`drivers/${id}/status`, { status: 'offline' }))),
      );
      for (const id of ids) await locate(id, 290 - round);
    });
    await Promise.all(rounds);
  });

  it('rejects a status that says nothing it knows', async () => {
    assert.deepEqual(await bid('d1', { status: 'asleep' }), [{ rejected: 'schema' }]);
    assert.deepEqual(await bid('d1', { status: 'offline', at: 'yesterday' }), [{ rejected: 'time_unreadable' }]);
    assert.deepEqual(await bid('d1', { status: 'offline' }, { username: null }), ['accepted']);
  });

  it('lists by presence and page by page, with the orders that are carried and without places', async () => {
    for (const id of ['d1', 'd2', 'd3', 'd4', 'd5']) await locate(id, id < 'd4' ? 1 : 300);
    await data.sql(`insert into tracked_orders (order_id, driver_id, status)
      values ('o1', 'd4', 'active'), ('o2', 'd4', 'active'), ('o3', 'd5', 'closed'), ('o4', 'never', 'active')`);
    const seen: unknown[] = [];
    let cursor: string | null = null;
    do {
      const { body }: Reply = await list({ limit: 2, presence: 'online', ...(cursor === null ? {} : { cursor }) });
      seen.push(...(body['drivers'] as { driverId: string }[]).map(({ driverId }) => driverId));
      cursor = body['nextCursor'] as string | null;
    } while (cursor !== null);
    assert.deepEqual(seen, ['d1', 'd2', 'd3']);
    const stale = (await list({ presence: 'stale' })).body['drivers'] as { orders: number; ageSeconds: number }[];
    assert.deepEqual(
      stale.map(({ orders }) => orders),
      [2, 0],
    );
    assert.ok((stale[0]?.ageSeconds ?? 0) >= 300);
    const offline = (await list({ presence: 'offline' })).body['drivers'];
    assert.deepEqual(offline, [
      { driverId: 'never', presence: 'offline', recordedAt: null, ageSeconds: null, orders: 1 },
    ]);
    assert.equal((await list({ cursor: '' })).code, 'VALIDATION_FAILED');
    assert.equal((await list({ cursor: '!!!' })).code, 'PRESENCE_CURSOR_INVALID');
    assert.doesNotMatch(JSON.stringify((await list()).body), /"lat"|"lon"/);
  });

  it('counts the fleet and the silent who carry an order, the same on every node and after a restart', async () => {
    await locate('d1', 1);
    await locate('d2', 300);
    await locate('d3', 1000);
    await data.sql(`insert into tracked_orders (order_id, driver_id, status)
      values ('o1', 'd1', 'active'), ('o2', 'd2', 'active'), ('o3', 'd2', 'active'), ('o4', 'd3', 'closed')`);
    const expected = [
      { presence: 'online', drivers: 1, carrying: 1 },
      { presence: 'stale', drivers: 1, carrying: 1 },
      { presence: 'offline', drivers: 1, carrying: 0 },
    ];
    const [one, other] = await Promise.all([
      countPresence(data.db, settings, Date.now()),
      countPresence(data.db, settings, Date.now()),
    ]);
    assert.deepEqual([one, other], [expected, expected]);
    const node = await runPlugin(plugin, data.db);
    await node.repeat('presence');
    assert.deepEqual(
      ['online', 'stale', 'offline'].map((presence) => node.shown('returnit_tracking_drivers', { presence })),
      [1, 1, 1],
    );
    assert.deepEqual(
      ['stale', 'offline'].map((presence) => node.shown('returnit_tracking_silent_drivers', { presence })),
      [1, 0],
    );
  });
});
