/** What devices send wrong, from their connection to the operator's command line. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as pg from 'pg';
import { rejectionReasons, type RejectionReason } from '../../plugins/tracking/fix.ts';
import type { Api } from '../support/api-client.ts';
import { runCli, type CliResult } from '../support/cli.ts';
import { connectDevice, placeOf, type Device } from '../support/journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

interface Letter {
  readonly id: string;
  readonly reason: string;
  readonly topic: string;
  readonly payload?: string;
}

const place = placeOf(7);
const own = 'drivers/letters/location';
const budget = { TRACKING_DEVICE_FIXES_PER_SECOND: '1', TRACKING_DEVICE_FIXES_BURST: '3' };
const counter = 'returnit_tracking_rejected_total';

describe('rejected messages', { timeout: 170_000 }, () => {
  let database: TestDatabase;
  let client: pg.Client;
  let platform: TestPlatform;
  let ops: Api;
  let device: Device;

  before(async () => {
    Object.assign(process.env, budget);
    database = await createTestDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    platform = await startPlatform({ config: { databaseUrl: database.url } });
    ops = await platform.as('ops', 'o');
    device = await connectFreeDevice();
  });
  after(async () => {
    for (const name of Object.keys(budget)) delete process.env[name];
    await device?.close();
    await platform?.stop();
    await client?.end();
    await database?.drop();
  });

  /** A device that may publish where none of ours may, as behind a broker whose lists are not kept well. */
  async function connectFreeDevice(): Promise<Device> {
    await ops.ok('POST', '/drivers', { driverId: 'letters', name: 'Letters', vehicle: 'van' });
    const credentials = await ops.ok<{ username: string; password: string }>('POST', '/drivers/letters/devices', {
      deviceId: 'phone',
    });
    await ops.ok('POST', '/drivers/letters/devices', { deviceId: 'stolen' });
    await ops.ok('DELETE', '/drivers/letters/devices/stolen');
    await client.query("update returnit.mqtt_credential set publish = $1 where username = 'letters.phone'", [
      ['drivers/+/location', 'owntracks/+/+'],
    ]);
    return connectDevice(platform.app.addresses.mqtt, { driverId: 'letters', ...credentials });
  }

  const fix = (changes: object = {}): string =>
    JSON.stringify({ ...place, recordedAt: new Date().toISOString(), ...changes });
  const ownTracks = (changes: object): string =>
    JSON.stringify({ _type: 'location', ...place, tst: Math.floor(Date.now() / 1000), ...changes });
  const send = (topic: string, payload: string | Buffer): Promise<unknown> =>
    device.client.publishAsync(topic, payload, { qos: 1 });
  const lettersOf = async (reason: string): Promise<readonly Letter[]> =>
    (await ops.ok<{ letters: Letter[] }>('GET', `/tracking/dead-letters?reason=${reason}`)).letters;
  const cli = (...args: readonly string[]): Promise<CliResult> =>
    runCli(['dead-letters', ...args], { DATA_DIR: platform.dataDir });
  const historyOf = async (driverId: string): Promise<number> =>
    (await ops.ok<{ fixes: unknown[] }>('GET', `/tracking/drivers/${driverId}/history`)).fixes.length;

  it('are acknowledged, counted and kept, for every reason that there is, and the good one among them is stored', async () => {
    const bad: readonly (readonly [RejectionReason, topic: string, payload: string | Buffer])[] = [
      ['topic', 'drivers/a b/location', fix()],
      ['encoding', own, Buffer.from([0x7b, 0xff, 0xfe])],
      ['payload_too_large', own, 'x'.repeat(5000)],
      ['malformed_json', own, '{"lat":'],
      ['schema', own, '[]'],
      ['encrypted', 'owntracks/letters/phone', JSON.stringify({ _type: 'encrypted', data: 'AAAA' })],
      ['range', own, fix({ lat: 91 })],
      ['null_island', own, fix({ lat: 0, lon: 0 })],
      ['time_unreadable', own, fix({ recordedAt: 'yesterday' })],
      ['future', own, fix({ recordedAt: '2199-01-01T00:00:00Z' })],
      ['too_old', own, fix({ recordedAt: '1999-01-01T00:00:00Z' })],
      ['unknown_driver', 'drivers/nobody/location', fix()],
      ['suspended_device', 'owntracks/letters/stolen', ownTracks({})],
    ];
    // Resolves with the last PUBACK: nothing is held back.
    await Promise.all([...bad.map(([, topic, payload]) => send(topic, payload)), send(own, fix())]);
    assert.equal(await historyOf('letters'), 1);
    for (const [reason, topic, payload] of bad) {
      assert.equal(await platform.sample(counter, { reason }), 1, reason);
      const [letter, ...others] = await lettersOf(reason);
      assert.deepEqual([letter?.topic, others.length], [topic, 0], reason);
      const { payload: shown } = await ops.ok<Letter>('GET', `/tracking/dead-letters/${letter?.id ?? ''}`);
      assert.equal(shown, typeof payload === 'string' ? payload : payload.toString('base64'));
    }

    const agoOf = (index: number): string => new Date(Date.now() - 60_000 - index * 1000).toISOString();
    await Promise.all(Array.from({ length: 60 }, (_, index) => send(own, fix({ recordedAt: agoOf(index) }))));
    const overBudget = await platform.sample(counter, { reason: 'rate_exceeded' });
    assert.ok(overBudget > 0);
    assert.equal((await historyOf('letters')) + overBudget, 61);
    const kept = await client.query<{ reason: string; copies: number }>(
      'select reason, sum(copies)::int as copies from tracking.dead_letters group by reason',
    );
    assert.deepEqual(kept.rows.map(({ reason }) => reason).toSorted(), rejectionReasons.toSorted());
    assert.equal(kept.rows.find(({ reason }) => reason === 'rate_exceeded')?.copies, overBudget);
    assert.equal(
      await platform.sample('returnit_tracking_dead_letters_total', { outcome: 'kept' }),
      bad.length + overBudget,
    );
    // The core counts the same, by the plugin's own names.
    assert.equal(await platform.sample('returnit_mqtt_messages_rejected_total', { reason: 'null_island' }), 1);
  });

  it('are listed and shown by the command line, in bounds', async () => {
    const list = await cli('list', '--limit', '2');
    assert.equal(list.code, 0, list.stderr);
    const [header, ...lines] = list.stdout.trimEnd().split('\n');
    assert.match(header ?? '', /^ID +RECEIVED +COPIES +REPLAYS +REASON +SENDER +TOPIC +DETAIL$/);
    assert.equal(lines.length, 2);
    const json = await cli('list', '--reason', 'encoding', '--json');
    const [letter] = JSON.parse(json.stdout) as Letter[];
    const shown = await cli('show', letter?.id ?? '');
    assert.match(shown.stdout, /^reason +encoding: the payload is not UTF-8$/m);
    assert.match(shown.stdout, /\n\ne\/\/\+\n$/);
    assert.deepEqual((await cli('list', '--reason', 'other')).stdout, 'There are no dead letters\n');
  });

  it('are replayed by the command line: what is taken is stored and gone, what is not stays', async () => {
    const [letter] = await lettersOf('unknown_driver');
    const id = letter?.id ?? '';
    assert.deepEqual(await cli('replay', id), {
      code: 0,
      stdout: `${id} rejected unknown_driver: no driver of this id is registered\n0 taken, 1 still rejected\n`,
      stderr: '',
    });
    await ops.ok('POST', '/drivers', { driverId: 'nobody', name: 'Somebody', vehicle: 'car' });
    const taken = await cli('replay', '--all', '--reason', 'unknown_driver', '--json');
    assert.deepEqual(JSON.parse(taken.stdout), [{ id, outcome: 'accepted', reason: null, detail: null }]);
    assert.deepEqual([(await lettersOf('unknown_driver')).length, await historyOf('nobody')], [0, 1]);
    assert.equal(await platform.sample('returnit_tracking_dead_letters_total', { outcome: 'replayed' }), 1);
  });

  it('are dropped by the command line', async () => {
    const [one] = await lettersOf('schema');
    assert.equal((await cli('drop', one?.id ?? '')).stdout, '1 dropped\n');
    const before = (await lettersOf('rate_exceeded')).length;
    assert.ok(before > 0);
    const dropped = await cli('drop', '--all', '--reason', 'rate_exceeded', '--json');
    assert.ok((JSON.parse(dropped.stdout) as { dropped: string[] }).dropped.length >= before);
    assert.deepEqual([...(await lettersOf('schema')), ...(await lettersOf('rate_exceeded'))], []);
  });

  it('are only what was named, and the command line says what is wrong otherwise', async () => {
    const emptyDir = await mkdtemp(join(tmpdir(), 'returnit-letters-'));
    const wrong: readonly (readonly [CliResult, RegExp])[] = [
      [await cli('show', '999999'), /^There is no dead letter 999999\n$/],
      [await cli('replay'), /^Cannot choose dead letters: there is neither an id nor --all\n$/],
      [await cli('drop', '1', '--all'), /^Cannot choose dead letters: there are both ids and --all\n$/],
      [await cli('show', '0x1'), /It must be an id/],
      [await cli('list', '--limit', '5000'), /whole number from 1 to 1000/],
      [await runCli(['dead-letters', 'list'], { DATA_DIR: emptyDir }), /^Cannot reach the core: none runs/],
    ];
    await rm(emptyDir, { recursive: true });
    for (const [{ code, stdout, stderr }, message] of wrong) {
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, message);
    }
    const customer = await platform.as('customer', 'c');
    assert.equal((await customer.request('GET', '/tracking/dead-letters')).status, 403);
  });

  it('cost nothing else while their table is locked by somebody', async () => {
    await client.query('begin');
    await client.query('lock table tracking.dead_letters in access exclusive mode');
    const before = await historyOf('letters');
    // Its token has come back by now.
    await Promise.all([send(own, '{'), send(own, fix({ accuracyM: 99 })), send(own, '[')]);
    assert.equal(await historyOf('letters'), before + 1);
    assert.ok((await platform.sample('returnit_tracking_dead_letters_total', { outcome: 'lost' })) >= 1);
    await client.query('rollback');
  });
});
