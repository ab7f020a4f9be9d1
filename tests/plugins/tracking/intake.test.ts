import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Database, MqttMessage, Plugin, Verdict } from '#plugin-api';
import { plugin } from '../../../plugins/tracking/plugin.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type RunningPlugin } from '../support/plugin-context.ts';

describe('intake of messages', () => {
  let data: PluginDatabase;
  let running: RunningPlugin;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders', 'drivers');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql(
      'truncate driver_location_pings, newest_positions, tracked_orders, drivers.drivers, drivers.driver_devices cascade',
    );
    await data.sql(`insert into drivers.drivers (driver_id, name, vehicle, status) values
      ('d1', 'One', 'van', 'approved'), ('d2', 'Two', 'van', 'approved'), ('d3', 'Three', 'van', 'approved')`);
    await data.sql(`insert into drivers.driver_devices (driver_id, device_id, username, issued_by, revoked_at) values
      ('d1', 'phone', 'd1.phone', 'ops', null), ('d2', 'phone', 'd2.phone', 'ops', now()),
      ('d2', 'tablet', 'd2.tablet', 'ops', null)`);
    running = await runPlugin(plugin, data.db);
  });

  const toMessage = (secondsAgo: number, changes: object = {}, username = 'd1.phone'): MqttMessage => ({
    topic: `drivers/${username.split('.')[0]}/location`,
    payload: JSON.stringify({ lat: 48.1, lon: 11.5, recordedAt: Date.now() / 1000 - secondsAgo, ...changes }),
    username,
    receivedAt: new Date().toISOString(),
    retained: false,
    duplicate: false,
  });
  const receive = (...messages: MqttMessage[]): Promise<readonly Verdict[]> =>
    running.receive('drivers/+/location', messages);
  const rejected = (reason: string) => running.counted('returnit_tracking_rejected_total', { reason });
  const rows = (): Promise<Record<string, unknown>[]> =>
    data.sql('select driver_id, device from driver_fixes order by driver_id, device, recorded_at');

  it('rejects unknown drivers and suspended devices alone, and takes the rest of the batch', async () => {
    const verdicts = await receive(
      toMessage(9),
      toMessage(8, {}, 'nobody.phone'),
      toMessage(7, {}, 'd2.phone'),
      toMessage(6, {}, 'd2.tablet'),
      toMessage(5, {}, 'd3.never-registered'),
      { ...toMessage(4), payload: '{' },
      toMessage(3),
    );
    assert.deepEqual(verdicts, [
      'accepted',
      { rejected: 'unknown_driver' },
      { rejected: 'suspended_device' },
      'accepted',
      'accepted',
      { rejected: 'malformed_json' },
      'accepted',
    ]);
    assert.deepEqual([rejected('unknown_driver'), rejected('suspended_device'), rejected('malformed_json')], [1, 1, 1]);
    assert.deepEqual(
      (await rows()).map((row) => `${String(row['driver_id'])}.${String(row['device'])}`),
      ['d1.phone', 'd1.phone', 'd2.tablet', 'd3.never-registered'],
    );
  });

  it('uses an answer for a while, and hears soon of a driver who was unknown', async () => {
    running = await runPlugin(plugin, data.db, { TRACKING_DRIVER_CACHE_SECONDS: '3600' });
    await receive(toMessage(9));
    await data.sql("update drivers.driver_devices set revoked_at = now() where username = 'd1.phone'");
    assert.deepEqual(await receive(toMessage(8)), ['accepted']);
    running = await runPlugin(plugin, data.db, { TRACKING_DRIVER_CACHE_SECONDS: '0' });
    assert.deepEqual(await receive(toMessage(7)), [{ rejected: 'suspended_device' }]);
    assert.deepEqual(await receive(toMessage(6, {}, 'd4.phone')), [{ rejected: 'unknown_driver' }]);
    await data.sql(
      "insert into drivers.drivers (driver_id, name, vehicle, status) values ('d4', 'Four', 'van', 'approved')",
    );
    assert.deepEqual(await receive(toMessage(5, {}, 'd4.phone')), ['accepted']);
  });

  it('takes everything unchecked while the drivers cannot be asked', async () => {
    let asked = 0;
    const withoutDrivers: Database = {
      ...data.db,
      query(statement, values) {
        if (statement.name !== 'list_suspended_devices') return data.db.query(statement, values);
        asked += 1;
        return Promise.reject(new Error('permission denied for schema drivers'));
      },
    };
    running = await runPlugin(plugin, withoutDrivers);
    assert.deepEqual(await receive(toMessage(9, {}, 'nobody.phone'), toMessage(8, {}, 'd2.phone')), [
      'accepted',
      'accepted',
    ]);
    assert.deepEqual(await receive(toMessage(7)), ['accepted']);
    assert.equal(running.counted('returnit_tracking_unchecked_total', {}), 3);
    assert.equal(asked, 1);
    assert.equal(running.recorded.logs.filter(({ level }) => level === 'warn').length, 1);
  });

  it('keeps an inaccurate fix, which moves neither the newest position nor the stream', async () => {
    await running.deliver('order.assigned', { orderId: 'o1', driverId: 'd1' });
    await receive(toMessage(9, { accuracyM: 5000 }));
    assert.deepEqual(await data.sql('select from newest_positions'), []);
    await receive(toMessage(8, { lat: 48.2, accuracyM: 10 }), toMessage(7, { lat: 48.3, accuracyM: 201 }));
    const [newest] = await data.sql('select lat from newest_positions');
    assert.equal(newest?.['lat'], 48.2);
    assert.equal((await rows()).length, 3);
    assert.deepEqual(
      running.recorded.live.map((value) => (value.data as { lat: number }).lat),
      [48.2],
    );
    assert.equal(running.counted('returnit_tracking_flagged_total', { flag: 'inaccurate' }), 2);
  });

  it('flags an impossible speed by the newest known position, also after a restart', async () => {
    await receive(toMessage(9));
    running = await runPlugin(plugin, data.db);
    assert.deepEqual(await receive(toMessage(8, { lat: 52.5 }), toMessage(7)), ['accepted', 'accepted']);
    assert.equal(running.counted('returnit_tracking_flagged_total', { flag: 'impossible_speed' }), 1);
    assert.equal((await rows()).length, 3);
  });

  it('rejects what is over the budget of a device, and of that device alone', async () => {
    running = await runPlugin(plugin, data.db, {
      TRACKING_DEVICE_FIXES_PER_SECOND: '1',
      TRACKING_DEVICE_FIXES_BURST: '2',
    });
    const verdicts = await receive(toMessage(9), toMessage(8), toMessage(7), toMessage(6, {}, 'd3.phone'));
    assert.deepEqual(verdicts, ['accepted', 'accepted', { rejected: 'rate_exceeded' }, 'accepted']);
    assert.equal(rejected('rate_exceeded'), 1);
  });

  for (const away of ['store_fixes', 'record_wills']) {
    it(`charges nothing for a batch that failed at ${away}, and counts it when it is stored`, () => failAt(away));
  }

  async function failAt(statementName: string): Promise<void> {
    let isAway = true;
    const failing: Database = {
      ...data.db,
      query: (statement, values) =>
        isAway && statement.name === statementName
          ? Promise.reject(new Error('the database is away'))
          : data.db.query(statement, values),
    };
    running = await runPlugin(plugin, failing, {
      TRACKING_DEVICE_FIXES_PER_SECOND: '1',
      TRACKING_DEVICE_FIXES_BURST: '2',
    });
    const will = { ...toMessage(6, { _type: 'lwt' }), topic: 'owntracks/d1/phone' };
    const messages = [toMessage(9), { ...toMessage(8), payload: '[]' }, toMessage(7), will];
    for (let attempt = 0; attempt < 4; attempt += 1) await assert.rejects(receive(...messages));
    assert.equal(rejected('schema'), 0);
    isAway = false;
    assert.deepEqual(await receive(...messages), ['accepted', { rejected: 'schema' }, 'accepted', 'accepted']);
    assert.equal(rejected('schema'), 1);
  }

  it('judges by its settings', async () => {
    const messages = (): MqttMessage[] => [
      toMessage(-60),
      toMessage(2 * 86_400 + 60),
      toMessage(9, { accuracyM: 21 }),
      toMessage(8),
      // 75 m a second, when what is not known of either place is taken off.
      toMessage(6, { lat: 48.1 + 250 / 111_195 }),
    ];
    assert.deepEqual(
      await receive(...messages()),
      messages().map(() => 'accepted'),
    );
    const flagged = (flag: string) => running.counted('returnit_tracking_flagged_total', { flag });
    assert.deepEqual([flagged('inaccurate'), flagged('impossible_speed')], [0, 0]);
    await data.sql('truncate newest_positions');
    running = await runPlugin(plugin, data.db, {
      TRACKING_FUTURE_TOLERANCE_SECONDS: '30',
      TRACKING_RETENTION_DAYS: '2',
      TRACKING_ACCURACY_MAX_M: '20',
      TRACKING_SPEED_MAX_MPS: '50',
    });
    assert.deepEqual(await receive(...messages()), [
      { rejected: 'future' },
      { rejected: 'too_old' },
      'accepted',
      'accepted',
      'accepted',
    ]);
    assert.deepEqual([flagged('inaccurate'), flagged('impossible_speed')], [1, 1]);
  });

  it('takes fixes while nobody can be told of them, and counts it', async () => {
    const silenced: Plugin = {
      setup(ctx) {
        const publish = (): Promise<never> => Promise.reject(new Error('the live hub is away'));
        return plugin.setup({ ...ctx, live: { ...ctx.live, publish }, events: { ...ctx.events, publish } });
      },
    };
    running = await runPlugin(silenced, data.db);
    await running.deliver('order.assigned', { orderId: 'o1', driverId: 'd1' });
    assert.deepEqual(await receive(toMessage(9)), ['accepted']);
    assert.equal((await rows()).length, 1);
    // The position of the order, and that the driver is located.
    assert.equal(running.counted('returnit_tracking_publishes_total', { outcome: 'failed' }), 2);
    assert.equal(running.counted('returnit_tracking_publishes_total', { outcome: 'done' }), 0);
  });

  it('shows how far the newest and the oldest fix of a batch were behind, and how long it took to commit', async () => {
    const early = new Date(Date.now() - 5000).toISOString();
    await receive({ ...toMessage(65), receivedAt: early }, toMessage(3600), toMessage(0), {
      ...toMessage(0),
      payload: '[]',
    });
    const observed = (name: string, fix?: string) =>
      running.recorded.observed
        .filter((one) => one.name === name && one.labels['fix'] === fix)
        .map(({ value }) => value);
    const [newest] = observed('returnit_tracking_receipt_lag_seconds', 'newest');
    const [oldest] = observed('returnit_tracking_receipt_lag_seconds', 'oldest');
    const [commit] = observed('returnit_tracking_commit_lag_seconds');
    assert.ok(newest !== undefined && newest >= 0 && newest < 55, String(newest));
    assert.ok(oldest !== undefined && oldest >= 3600 && oldest < 3660, String(oldest));
    assert.ok(commit !== undefined && commit >= 5, String(commit));
    assert.equal(running.counted('returnit_tracking_clock_ahead_total', {}), 0);
    await receive({ ...toMessage(0), payload: '[]' });
    assert.equal(running.recorded.observed.length, 3, 'a batch without a fix has no lag');
    await receive(toMessage(-60), toMessage(0));
    assert.equal(running.counted('returnit_tracking_clock_ahead_total', {}), 1);
  });
});
