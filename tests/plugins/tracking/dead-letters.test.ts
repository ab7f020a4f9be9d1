import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Database, MqttMessage, Principal, Verdict } from '#plugin-api';
import { plugin } from '../../../plugins/tracking/plugin.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';

const ops: Principal = { id: 'o', role: 'ops' };
const place = { lat: 48.1, lon: 11.5 };

describe('dead letters', () => {
  let data: PluginDatabase;
  let running: RunningPlugin;
  let number = 0;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders', 'drivers');
    await data.sql(
      "insert into drivers.drivers (driver_id, name, vehicle, status) values ('d1', 'One', 'van', 'approved')",
    );
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate dead_letters restart identity');
    running = await runPlugin(plugin, data.db);
  });

  const toMessage = (payload: unknown, changes: Partial<MqttMessage> = {}): MqttMessage => ({
    topic: 'drivers/d1/location',
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
    username: 'd1.phone',
    receivedAt: new Date().toISOString(),
    retained: false,
    duplicate: false,
    ...changes,
  });
  const good = (): MqttMessage => toMessage({ ...place, recordedAt: Date.now() / 1000 - (number += 1) });
  const bad = (text = ''): MqttMessage => toMessage(`{${text}${(number += 1)}`);
  const receive = (...messages: MqttMessage[]): Promise<readonly Verdict[]> =>
    running.receive('drivers/+/location', messages);
  const count = (outcome: string): number => running.counted('returnit_tracking_dead_letters_total', { outcome });
  const letters = (): Promise<Record<string, unknown>[]> => data.sql('select * from dead_letters order by id');
  const ask = (route: string, request: object): Promise<Reply> =>
    running.request(route, { principal: ops, ...request });

  it('hold what was rejected, byte for byte, and nothing of what was taken', async () => {
    const odd = toMessage('{"text":"\u0000\ud83d\ude97 ü"', { topic: 'drivers/d1/location', username: null });
    await receive(good(), odd, good(), toMessage({ ...place, lat: 91, recordedAt: 1 }));
    const [first, second, ...rest] = (await letters()).toSorted((a) => (a['reason'] === 'range' ? 1 : -1));
    assert.equal(rest.length, 0);
    assert.equal(String(first?.['payload']), odd.payload);
    assert.deepEqual(
      [first?.['topic'], first?.['username'], first?.['reason'], first?.['copies']],
      ['drivers/d1/location', null, 'malformed_json', 1],
    );
    assert.deepEqual([second?.['reason'], second?.['detail']], ['range', 'the latitude must be from -90 to 90']);
    assert.equal(count('kept'), 2);
  });

  it('hold the beginning of what the core could not hand over, and of what is too long', async () => {
    await receive(
      toMessage(Buffer.from([0xff, 0x00, 0xfe]).toString('base64'), {
        refused: { reason: 'encoding', payloadBytes: 3 },
      }),
      toMessage('x'.repeat(20_000)),
    );
    const rows = (await letters()).toSorted((a, b) => Number(a['payload_bytes']) - Number(b['payload_bytes']));
    assert.deepEqual(
      rows.map((row) => [row['reason'], row['payload_bytes'], (row['payload'] as Buffer).length]),
      [
        ['encoding', 3, 3],
        ['payload_too_large', 20_000, 8192],
      ],
    );
    const ids = rows.map((row) => String(row['id']));
    const shown = await Promise.all(ids.map((id) => ask('GET /tracking/dead-letters/{id}', { params: { id } })));
    assert.deepEqual(
      shown.map(({ body }) => [body['encoding'], body['truncated']]),
      [
        ['base64', false],
        ['utf-8', true],
      ],
    );
    for (const [index, id] of ids.entries()) {
      const { body } = await ask('POST /tracking/dead-letters/{id}/replay', { params: { id } });
      assert.deepEqual([body['outcome'], body['reason']], ['rejected', rows[index]?.['reason']]);
    }
  });

  it('count the same message on its letter, within a batch and later', async () => {
    const same = bad();
    await receive(same, good(), same);
    await receive(same, bad());
    assert.deepEqual(
      (await letters()).map((row) => row['copies']),
      [3, 1],
    );
    assert.deepEqual([count('kept'), count('repeated')], [2, 2]);
  });

  it('are bounded by rows: the oldest go, and are counted', async () => {
    running = await runPlugin(plugin, data.db, { TRACKING_DEAD_LETTERS_MAX: '10' });
    for (let batch = 0; batch < 5; batch += 1) await receive(...Array.from({ length: 7 }, () => bad()), good());
    const rows = await letters();
    assert.equal(rows.length, 10);
    assert.ok(Number(rows[0]?.['id']) > 20);
    assert.deepEqual([count('kept'), count('dropped')], [35, 25]);
    assert.equal(running.shown('returnit_tracking_dead_letters_kept'), 10);
  });

  it('are bounded by bytes, whatever one batch brings', async () => {
    running = await runPlugin(plugin, data.db, { TRACKING_DEAD_LETTERS_MAX_BYTES: '65536' });
    for (let batch = 0; batch < 4; batch += 1) {
      await receive(...Array.from({ length: 12 }, () => bad('x'.repeat(3000))), good());
      const [row] = await data.sql(
        'select sum(stored_bytes)::int as bytes, count(*)::int as letters from dead_letters',
      );
      assert.ok(Number(row?.['bytes']) <= 65_536 && Number(row?.['letters']) > 0);
      assert.equal(running.shown('returnit_tracking_dead_letters_kept_bytes'), row?.['bytes']);
    }
    const kept = (await letters()).length;
    assert.equal(count('dropped'), 48 - kept);
  });

  it('cost no good fix when their table cannot be written, and are counted as lost', async () => {
    await data.sql(`create function refuse_letter() returns trigger language plpgsql as
      $$ begin raise exception using errcode = 'disk_full', message = 'could not extend file'; end $$`);
    await data.sql('create trigger full_disk before insert on dead_letters execute function refuse_letter()');
    const verdicts = await receive(bad(), good(), bad());
    await data.sql('drop trigger full_disk on dead_letters');
    assert.deepEqual(verdicts, [{ rejected: 'malformed_json' }, 'accepted', { rejected: 'malformed_json' }]);
    assert.deepEqual([count('lost'), count('kept'), (await letters()).length], [2, 0, 0]);
    assert.equal(running.counted('returnit_tracking_fixes_total', { outcome: 'stored' }), 1);
    await receive(bad());
    assert.equal(count('kept'), 1);
  });

  it('stall nothing when a write hangs: later ones are given up at once', async () => {
    let under = 0;
    const ended = Promise.withResolvers<never>();
    ended.promise.catch(() => undefined);
    const hanging: Database = {
      ...data.db,
      query(statement, values) {
        if (statement.name !== 'insert_dead_letters') return data.db.query(statement, values);
        under += 1;
        return ended.promise;
      },
    };
    running = await runPlugin(plugin, hanging);
    await Promise.all(Array.from({ length: 6 }, () => receive(good(), bad())));
    assert.deepEqual([under, count('lost')], [3, 6]);
    assert.equal(running.counted('returnit_tracking_fixes_total', { outcome: 'stored' }), 6);
    ended.reject(new Error('the connection is gone'));
  });

  it('can be listed in pages, by reason, shown and removed', async () => {
    await receive(bad(), bad(), bad(), toMessage('[]'));
    const page = await ask('GET /tracking/dead-letters', { query: { limit: 2 } });
    const first = page.body['letters'] as { id: string }[];
    const rest = await ask('GET /tracking/dead-letters', { query: { limit: 2, before: page.body['next'] } });
    const second = rest.body['letters'] as { id: string }[];
    const ids = [...first, ...second].map(({ id }) => Number(id));
    assert.deepEqual([ids.length, rest.body['next']], [4, null]);
    assert.deepEqual(
      ids,
      ids.toSorted((a, b) => b - a),
    );
    const schema = await ask('GET /tracking/dead-letters', { query: { reason: 'schema' } });
    const [letter] = schema.body['letters'] as { id: string; detail: string }[];
    assert.equal(letter?.detail, 'the payload must be an object');
    const params = { id: letter?.id ?? '' };
    assert.equal((await ask('GET /tracking/dead-letters/{id}', { params })).body['payload'], '[]');
    assert.equal((await ask('DELETE /tracking/dead-letters/{id}', { params })).status, 200);
    for (const route of [
      'DELETE /tracking/dead-letters/{id}',
      'GET /tracking/dead-letters/{id}',
      'POST /tracking/dead-letters/{id}/replay',
    ]) {
      assert.equal((await ask(route, { params })).code, 'DEAD_LETTER_NOT_FOUND');
    }
    assert.equal(count('removed'), 1);
  });
});
