import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { MqttMessage, Principal } from '#plugin-api';
import { plugin } from '../../../plugins/tracking/plugin.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';

const ops: Principal = { id: 'o', role: 'ops' };
const dayMs = 86_400_000;

describe('replay of a dead letter', () => {
  let data: PluginDatabase;
  let running: RunningPlugin;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders', 'drivers');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate dead_letters, newest_positions, drivers.drivers, drivers.driver_devices cascade');
    await data.sql(
      "insert into drivers.drivers (driver_id, name, vehicle, status) values ('d1', 'One', 'van', 'approved')",
    );
    running = await runPlugin(plugin, data.db);
  });

  const toMessage = (recordedAtMs: number, driverId = 'd1', receivedAtMs = Date.now()): MqttMessage => ({
    topic: `drivers/${driverId}/location`,
    payload: JSON.stringify({ lat: 48.1, lon: 11.5, recordedAt: recordedAtMs / 1000 }),
    username: `${driverId}.phone`,
    receivedAt: new Date(receivedAtMs).toISOString(),
    retained: false,
    duplicate: false,
  });
  const receive = (...messages: MqttMessage[]): Promise<unknown> => running.receive('drivers/+/location', messages);
  const letterIds = async (): Promise<string[]> =>
    (await data.sql('select id from dead_letters order by id')).map((row) => String(row['id']));
  const replay = (id: string | undefined): Promise<Reply> =>
    running.request('POST /tracking/dead-letters/{id}/replay', { principal: ops, params: { id: id ?? '' } });
  const newest = (driverId: string) => data.sql('select from newest_positions where driver_id = $1', [driverId]);

  it('takes the fix and removes the letter, when its cause is gone', async () => {
    await receive(toMessage(Date.now() - 5000, 'd9'));
    const [id] = await letterIds();
    const inVain = await replay(id);
    assert.deepEqual(
      [inVain.body['outcome'], inVain.body['reason'], (await newest('d9')).length],
      ['rejected', 'unknown_driver', 0],
    );
    const [noted] = await data.sql('select replays, replayed_at is not null as noted from dead_letters');
    assert.deepEqual([noted?.['replays'], noted?.['noted']], [1, true]);
    await data.sql(
      "insert into drivers.drivers (driver_id, name, vehicle, status) values ('d9', 'Nine', 'van', 'approved')",
    );
    assert.equal((await replay(id)).body['outcome'], 'accepted');
    assert.deepEqual([(await letterIds()).length, (await newest('d9')).length], [0, 1]);
    assert.equal((await replay(id)).code, 'DEAD_LETTER_NOT_FOUND');
    const counted = (outcome: string) => running.counted('returnit_tracking_dead_letters_total', { outcome });
    assert.deepEqual([counted('replayed'), counted('refused')], [1, 1]);
  });

  it('is judged as of the receipt: what was in the future then is so now', async () => {
    const receivedAtMs = Date.now() - 3_600_000;
    await receive(toMessage(Date.now() + 600_000));
    await data.sql("update dead_letters set received_at = received_at - interval '1 hour'");
    const [future] = await letterIds();
    assert.equal((await replay(future)).body['reason'], 'future');
    // An hour later its time has come, and it is still ahead of its receipt.
    await data.sql('update dead_letters set payload = $1', [
      Buffer.from(toMessage(receivedAtMs + 600_000, 'd1', receivedAtMs).payload),
    ]);
    assert.equal((await replay(future)).body['reason'], 'future');
    running = await runPlugin(plugin, data.db, { TRACKING_FUTURE_TOLERANCE_SECONDS: '3600' });
    assert.equal((await replay(future)).body['outcome'], 'accepted');
  });

  it('takes nothing that has become older than what is kept', async () => {
    await receive(toMessage(Date.now() - 40 * dayMs));
    const [id] = await letterIds();
    await data.sql("update dead_letters set received_at = received_at - interval '20 days'");
    const { body } = await replay(id);
    assert.deepEqual([body['reason'], body['detail']], ['too_old', 'the fix has become older than what is kept']);
  });

  it('is outside of the budget of the device', async () => {
    running = await runPlugin(plugin, data.db, {
      TRACKING_DEVICE_FIXES_PER_SECOND: '1',
      TRACKING_DEVICE_FIXES_BURST: '1',
    });
    await receive(toMessage(Date.now() - 5000), toMessage(Date.now() - 4000), toMessage(Date.now() - 3000));
    const ids = await letterIds();
    assert.equal(ids.length, 2);
    for (const id of ids) assert.equal((await replay(id)).body['outcome'], 'accepted');
  });

  it('of two at once takes the fix once', async () => {
    await receive(toMessage(Date.now() - 5000, 'd8'));
    await data.sql(
      "insert into drivers.drivers (driver_id, name, vehicle, status) values ('d8', 'Eight', 'van', 'approved')",
    );
    const [id] = await letterIds();
    const answers = await Promise.all([replay(id), replay(id)]);
    assert.ok(answers.some(({ body }) => body['outcome'] === 'accepted'));
    assert.equal(running.counted('returnit_tracking_fixes_total', { outcome: 'stored' }), 1);
    assert.deepEqual(await letterIds(), []);
  });
});
