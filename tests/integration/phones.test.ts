/** Phone apps by HTTP, as they send: from the device's credentials to the row, and what they are answered when it cannot be. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '#core/database/embedded-postgres.ts';
import type { Api } from '../support/api-client.ts';
import { sendRaw, type RawAnswer } from '../support/raw-http.ts';
import { recordTelemetry } from '../support/record-telemetry.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { until } from '../support/until.ts';

interface Fix {
  readonly device: string;
  readonly lat: number;
  readonly lon: number;
  readonly recordedAt: string;
  readonly accuracyM: number | null;
  readonly speedMps: number | null;
  readonly headingDeg: number | null;
}

const dataDir = mkdtempSync(join(tmpdir(), 'returnit-phones-'));
const started: EmbeddedPostgres[] = [];
async function startPostgres(): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDir, connectionsMax: 90, telemetry: recordTelemetry() });
  started.push(postgres);
  return postgres;
}

describe('phone apps by HTTP', () => {
  let postgres: EmbeddedPostgres;
  let platform: TestPlatform;
  let ops: Api;
  let url: string;
  const passwords = new Map<string, string>();

  before(async () => {
    postgres = await startPostgres();
    const plugins = ['orders', 'drivers', 'tracking'];
    platform = await startPlatform({ config: { databaseUrl: postgres.url, plugins, dbHealthIntervalMs: 200 } });
    ops = await platform.as('ops', 'dispatcher');
    url = platform.app.addresses.api;
    for (const driverId of ['d1', 'd2', 'd3']) {
      await ops.ok('POST', '/drivers', { driverId, name: driverId, vehicle: 'van' });
      await issue(driverId);
    }
  });
  after(async () => {
    await platform?.stop();
    for (const each of started) await each.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  async function issue(driverId: string): Promise<void> {
    const device = await ops.ok<{ password: string }>('POST', `/drivers/${driverId}/devices`, { deviceId: 'phone' });
    passwords.set(driverId, device.password);
  }
  const basic = (driverId: string, password = passwords.get(driverId) ?? ''): string =>
    `Basic ${Buffer.from(`${driverId}.phone:${password}`).toString('base64')}`;
  const fixesOf = async (driverId: string): Promise<readonly Fix[]> =>
    (await ops.ok<{ fixes: Fix[] }>('GET', `/tracking/drivers/${driverId}/history`)).fixes;
  const secondsAgo = (seconds: number): number => Math.floor(Date.now() / 1000) - seconds;
  const requests = (format: string, outcome: string): Promise<number> =>
    platform.sample('returnit_tracking_phone_requests_total', { format, outcome });

  /** As OwnTracks for Android writes it. */
  const ownTracks = (body: string, driverId = 'd1', headers = ''): Promise<RawAnswer> =>
    sendRaw(
      url,
      `POST /tracking/owntracks HTTP/1.1\r\nUser-Agent: Owntracks-Android/gms/420503000\r\nAuthorization: ${basic(driverId)}\r\n${headers || `X-Limit-U: ${driverId}.phone\r\nX-Limit-D: pixel\r\n`}Content-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nHost: example.org\r\nConnection: Keep-Alive\r\nAccept-Encoding: gzip\r\n\r\n${body}`,
    );
  /** As Traccar Client up to 8 writes it: a POST without a body. */
  const traccarForm = (query: string): Promise<RawAnswer> =>
    sendRaw(
      url,
      `POST /tracking/osmand?username=d1.phone&password=${passwords.get('d1')}&${query} HTTP/1.1\r\nUser-Agent: Dalvik/2.1.0 (Linux; U; Android 13)\r\nHost: example.org\r\nConnection: Keep-Alive\r\nAccept-Encoding: gzip\r\nContent-Length: 0\r\n\r\n`,
    );
  /** As Traccar Client from 9 on writes it. */
  const traccarJson = (body: string): Promise<RawAnswer> =>
    sendRaw(
      url,
      `POST /tracking/osmand?username=d2.phone&password=${passwords.get('d2')} HTTP/1.1\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nHost: example.org\r\nConnection: Keep-Alive\r\nUser-Agent: okhttp/4.12.0\r\n\r\n${body}`,
    );
  /** As the OsmAnd app writes it, from the template that it was given. */
  const osmAnd = (query: string): Promise<RawAnswer> =>
    sendRaw(
      url,
      `GET /tracking/osmand?username=d1.phone&password=${passwords.get('d1')}&${query} HTTP/1.1\r\nUser-Agent: OsmAnd\r\nHost: example.org\r\nConnection: Keep-Alive\r\n\r\n`,
    );

  const location = (tst: number, more = ''): string =>
    `{"_type":"location","BSSID":"aa:bb:cc:dd:ee:ff","SSID":"home","_id":"1f2e3d4c","acc":12,"alt":13,"batt":80,"bs":1,"cog":270,"conn":"w","created_at":${tst + 1},"lat":48.85833,"lon":2.29513,"m":1,"source":"fused","t":"u","tid":"JJ","topic":"owntracks/http/JJ","tst":${tst},"vac":2,"vel":54${more}}`;

  it('OwnTracks: 200 and [] mean that the position is stored, once, with its units converted', async () => {
    const tst = secondsAgo(60);
    for (const body of [location(tst), location(tst).replace('1f2e3d4c', '9a9a9a9a')]) {
      const answer = await ownTracks(body);
      assert.deepEqual([answer.status, answer.body], [200, '[]']);
      assert.equal((await fixesOf('d1')).length, 1);
    }
    const [fix] = await fixesOf('d1');
    assert.deepEqual(
      [fix?.device, fix?.lat, fix?.lon, fix?.accuracyM, fix?.speedMps, fix?.headingDeg, fix?.recordedAt],
      ['phone', 48.85833, 2.29513, 12, 15, 270, new Date(tst * 1000).toISOString()],
    );
    assert.equal(await requests('owntracks', 'accepted'), 2);
    assert.equal(await platform.sample('returnit_tracking_fixes_total', { outcome: 'stored' }), 1);
    assert.equal(await platform.sample('returnit_tracking_fixes_total', { outcome: 'known' }), 1);
  });

  it('OwnTracks: what is not a position is answered [], so that it leaves the queue of the app', async () => {
    const known = (await fixesOf('d1')).length;
    for (const [body, reason] of [
      ['', undefined],
      ['{"_type":"lwt","tst":1497476456}', undefined],
      ['{"_type":"transition","event":"enter","lat":1,"lon":2,"tst":1497476456,"wtst":1,"acc":1}', undefined],
      ['{"_type":"waypoints","waypoints":[]}', undefined],
      ['{"_type":"encrypted","data":"AAAA"}', 'encrypted'],
      ['{"_type":"location","lat":48.85833,', 'malformed_json'],
      ['{"_type":"location","lat":NaN,"lon":2.29513,"tst":1}', 'malformed_json'],
      [location(secondsAgo(9)).replace('48.85833', '1e999'), 'range'],
      [location(1_497_476_456), 'too_old'],
      [location(secondsAgo(-3600)), 'future'],
      [location(secondsAgo(9), `,"image":"${'A'.repeat(5000)}"`), 'payload_too_large'],
    ] as const) {
      const answer = await ownTracks(body);
      assert.deepEqual([answer.status, answer.body, answer.headers['x-fix-rejected']], [200, '[]', reason], body);
    }
    assert.equal((await fixesOf('d1')).length, known);
    assert.ok((await platform.sample('returnit_tracking_rejected_total', { reason: 'encrypted' })) >= 1);
  });

  it('OwnTracks: more than the server reads is refused before it is read', async () => {
    const answer = await ownTracks(location(secondsAgo(9), `,"image":"${'A'.repeat(1_100_000)}"`));
    assert.equal(answer.status, 413);
  });

  it('Traccar Client up to 8: parameters in the query of a POST, knots', async () => {
    const at = secondsAgo(50);
    const query = `id=d1&timestamp=${at}&lat=48.86&lon=2.3&speed=19.438444924406046&bearing=90.0&altitude=35.0&accuracy=5.0&batt=85.0`;
    for (let time = 0; time < 2; time += 1) {
      const answer = await traccarForm(query);
      assert.deepEqual([answer.status, JSON.parse(answer.body)], [200, { outcome: 'accepted' }]);
    }
    const stored = (await fixesOf('d1')).filter(({ lat }) => lat === 48.86);
    assert.deepEqual(
      stored.map(({ speedMps, headingDeg, accuracyM, recordedAt }) => [speedMps, headingDeg, accuracyM, recordedAt]),
      [[10, 90, 5, new Date(at * 1000).toISOString()]],
    );
    const bad = await traccarForm(`id=d1&timestamp=${at}&lat=NaN&lon=2.3`);
    assert.deepEqual([bad.status, JSON.parse(bad.body)], [200, { outcome: 'rejected', reason: 'schema' }]);
    const alarm = await traccarForm('id=d1&batt=80.0');
    assert.deepEqual([alarm.status, JSON.parse(alarm.body)], [200, { outcome: 'ignored' }]);
  });

  it('Traccar Client from 9 on: JSON, metres a second', async () => {
    const timestamp = new Date(secondsAgo(40) * 1000).toISOString();
    const body = `{"location":{"timestamp":"${timestamp}","coords":{"latitude":48.1,"longitude":11.5,"accuracy":5,"speed":12.5,"heading":-1,"altitude":35.5},"is_moving":true,"odometer":123.4,"event":"motionchange","battery":{"level":0.85,"is_charging":false},"activity":{"type":"in_vehicle"},"extras":{},"_":"&id=d2.phone&lat=48.1&lon=11.5&timestamp=${timestamp}&"},"device_id":"d2.phone"}`;
    for (let time = 0; time < 2; time += 1) assert.equal((await traccarJson(body)).status, 200);
    const stored = await fixesOf('d2');
    assert.deepEqual(
      stored.map((fix) => [fix.lat, fix.lon, fix.speedMps, fix.headingDeg, fix.accuracyM, fix.recordedAt]),
      [[48.1, 11.5, 12.5, null, 5, timestamp]],
    );
    for (const [text, reason] of [
      [body.replace('"speed":12.5', '"speed":NaN'), 'malformed_json'],
      [body.replace('48.1', '1e999'), 'range'],
      [body.replace('48.1', '"48.1"'), 'schema'],
      ['[]', 'schema'],
    ] as const) {
      const answer = await traccarJson(text);
      assert.deepEqual([answer.status, answer.headers['x-fix-rejected']], [200, reason], text);
    }
    assert.equal((await fixesOf('d2')).length, 1);
  });

  it('OsmAnd: GET, and a script learns what is wrong', async () => {
    const answer = await osmAnd(
      `id=d1.phone&lat=48.87&lon=2.31&timestamp=${secondsAgo(30) * 1000}&hdop=0.0&altitude=35.0&speed=3.5`,
    );
    assert.deepEqual([answer.status, JSON.parse(answer.body)], [200, { outcome: 'accepted' }]);
    const bad = await osmAnd(`lat=95&lon=2.31&timestamp=${secondsAgo(30)}`);
    const problem = JSON.parse(bad.body) as Record<string, unknown>;
    assert.deepEqual([bad.status, problem['code'], problem['reason']], [400, 'FIX_REJECTED', 'range']);
    assert.equal(problem['detail'], 'Cannot take the position: the latitude must be from -90 to 90');
  });

  it('a device speaks for its own driver alone, whatever id it was given', async () => {
    const known = (await fixesOf('d3')).length;
    for (const answer of [
      await traccarForm(`id=d3&timestamp=${secondsAgo(20)}&lat=1&lon=2`),
      await traccarJson('{"location":{"coords":{"latitude":1,"longitude":2}},"device_id":"d3.phone"}'),
      await ownTracks(location(secondsAgo(20)), 'd1', 'X-Limit-U: d3\r\nX-Limit-D: phone\r\n'),
    ]) {
      assert.equal(answer.status, 403);
      assert.equal((JSON.parse(answer.body) as { code: string }).code, 'DEVICE_FOREIGN');
    }
    // What the payload says of itself counts for nothing.
    const claimed = location(secondsAgo(20)).replace('owntracks/http/JJ', 'owntracks/d3/phone');
    assert.equal((await ownTracks(claimed)).status, 200);
    assert.equal((await fixesOf('d3')).length, known);
  });

  it('wrong credentials are 401, and a revoked device is refused at once', async () => {
    const send = (authorization: string | undefined): Promise<Response> =>
      fetch(`${url}/tracking/owntracks`, {
        method: 'POST',
        headers: authorization === undefined ? {} : { authorization },
        body: location(secondsAgo(10)),
      });
    const token = await platform.token('driver', 'd1');
    for (const authorization of [
      undefined,
      basic('d1', 'wrong'),
      basic('nobody', 'x'),
      basic('d1', passwords.get('d2')),
      `Bearer ${token}`,
    ]) {
      const answer = await send(authorization);
      assert.equal(answer.status, 401);
      assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic realm=/);
      await answer.text();
    }
    const good = await send(basic('d3'));
    assert.equal(good.status, 200);
    await good.text();
    await ops.ok('DELETE', '/drivers/d3/devices/phone');
    const revoked = await send(basic('d3'));
    assert.equal(revoked.status, 401);
    await revoked.text();
    await issue('d3');
    const renewed = await send(basic('d3'));
    assert.equal(renewed.status, 200);
    await renewed.text();
  });

  it('who guesses is put off, and devices behind the same address go on', async () => {
    const behind = '127.0.0.9';
    const send = async (driverId: string, password?: string): Promise<number> => {
      const headers = `Host: example.org\r\nAuthorization: ${basic(driverId, password)}\r\nContent-Length: 0`;
      return (await sendRaw(url, `POST /tracking/owntracks HTTP/1.1\r\n${headers}\r\n\r\n`, behind)).status;
    };
    assert.equal(await send('d1'), 200);
    const guesses: number[] = [];
    while (guesses.at(-1) !== 429) guesses.push(await send('d2', `guess ${guesses.length}`));
    assert.deepEqual([...new Set(guesses)], [401, 429]);
    assert.equal(guesses.length, 21);
    assert.equal(await send('d1'), 200);
    assert.ok((await platform.sample('returnit_http_device_authentications_total', { outcome: 'rate-limited' })) >= 1);
  });

  it('a database that is away is 503, and what is sent again when it is back is stored once', async () => {
    const tst = secondsAgo(5);
    const body = location(tst).replace('48.85833', '48.99');
    await postgres.stop();
    const away = await ownTracks(body);
    assert.equal(away.status, 503, away.body);
    assert.ok(Number(away.headers['retry-after']) > 0);
    postgres = await startPostgres();
    await until('the position is taken', async () => (await ownTracks(body)).status === 200);
    assert.equal((await ownTracks(body)).status, 200);
    const stored = await until('ops can look', () => fixesOf('d1').catch(() => undefined));
    assert.equal(stored.filter(({ lat }) => lat === 48.99).length, 1);
  });

  it('no password and no place reaches the log', () => {
    for (const password of passwords.values()) assert.ok(!platform.logText().includes(password));
    // Long enough not to be a line's time: 48.858 is a second of a minute.
    assert.doesNotMatch(platform.logText(), /48\.8583|2\.2951|aa:bb:cc/);
  });
});
