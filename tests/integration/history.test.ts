/** A driver's history by HTTP, through the whole core and the plugin's own process. */
import assert from 'node:assert/strict';
import { get, type IncomingMessage } from 'node:http';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import type { Api, Problem } from '../support/api-client.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { until } from '../support/until.ts';

const beginMs = Date.parse('2026-05-04T23:00:00Z');
const fixes = 86_400;
const range = 'from=2026-05-04T23:00:00Z&to=2026-05-05T23:00:00Z';
const path = '/tracking/drivers/d1/history';
const settings = {
  TRACKING_HISTORY_EXPORTS_MAX: '1',
  TRACKING_DEVICE_FIXES_PER_SECOND: '1',
  TRACKING_DEVICE_FIXES_BURST: '1',
};

interface Page {
  readonly fixes: readonly { readonly recordedAt: string; readonly device: string }[];
  readonly nextCursor: string | null;
}

interface Collection {
  readonly features: readonly {
    readonly geometry: { readonly type: string; readonly coordinates: readonly unknown[] };
    readonly properties: { readonly coordTimes: readonly string[] };
  }[];
  readonly nextCursor: string | null;
}

describe("a driver's history by HTTP", { timeout: 170_000 }, () => {
  let database: TestDatabase;
  let platform: TestPlatform;
  let ops: Api;

  before(async () => {
    Object.assign(process.env, settings);
    database = await createTestDatabase();
    platform = await startPlatform({
      config: { databaseUrl: database.url, plugins: ['orders', 'drivers', 'tracking'] },
    });
    ops = await platform.as('ops', 'dispatcher');
    await fill(database.url);
  });
  after(async () => {
    for (const name of Object.keys(settings)) delete process.env[name];
    await platform?.stop();
    await database?.drop();
  });

  const isoAt = (second: number): string => new Date(beginMs + 1000 * second).toISOString();
  const next = (headers: Headers): string | undefined => /^<([^>]+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1];

  it('joins pages over midnight by cursor and by link, in one frame and as a stream', async () => {
    for (const [limit, count] of [
      [1000, 5000],
      [2500, 10_000],
    ] as const) {
      const seen: string[] = [];
      let cursor: string | null = null;
      while (seen.length < count) {
        const page: Page = await ops.ok(
          'GET',
          `${path}?${range}&limit=${limit}${cursor === null ? '' : `&cursor=${cursor}`}`,
        );
        seen.push(...page.fixes.map(({ recordedAt }) => recordedAt));
        cursor = page.nextCursor;
        assert.ok(cursor !== null);
      }
      assert.deepEqual(
        seen,
        Array.from({ length: count }, (_, second) => isoAt(second)),
      );
    }
    const whole = await ops.request<Page>('GET', `${path}?${range}&limit=100000`);
    assert.deepEqual(
      [whole.status, whole.body.fixes.length, whole.body.nextCursor, next(whole.headers)],
      [200, fixes, null, undefined],
    );
  });

  it('streams GeoJSON and GPX, and names the next page in the header', async () => {
    const geo = await ops.request<Collection>('GET', `${path}?${range}&format=geojson&limit=50000`);
    assert.match(geo.headers.get('content-type') ?? '', /^application\/geo\+json/);
    const link = next(geo.headers);
    assert.ok(link !== undefined);
    const rest = await ops.request<Collection>('GET', link);
    const times = [geo, rest].flatMap(({ body }) => body.features.flatMap(({ properties }) => properties.coordTimes));
    assert.deepEqual([times.length, times[0], times.at(-1)], [fixes, isoAt(0), isoAt(fixes - 1)]);
    assert.equal(new Set(times).size, fixes);
    assert.equal(next(rest.headers), undefined);

    const gpx = await ops.request<string>('GET', `${path}?${range}&format=gpx`);
    assert.match(gpx.headers.get('content-type') ?? '', /^application\/gpx\+xml/);
    assert.match(gpx.headers.get('content-disposition') ?? '', /^attachment; filename="d1-.*\.gpx"$/);
    assert.match(gpx.body, /^<\?xml version="1.0"[\s\S]*<\/gpx>\n$/);
    assert.equal(gpx.body.match(/<trkpt /g)?.length, fixes);
  });

  it('simplifies each format to the same fixes', async () => {
    const json: Page = await ops.ok('GET', `${path}?${range}&simplify=10&limit=100000`);
    const geo: Collection = await ops.ok('GET', `${path}?${range}&simplify=10&format=geojson`);
    const times = json.fixes.map(({ recordedAt }) => recordedAt);
    assert.ok(times.length > 100 && times.length < fixes / 10, `${times.length} are kept`);
    assert.deepEqual([times[0], times.at(-1)], [isoAt(0), isoAt(fixes - 1)]);
    assert.deepEqual(
      geo.features.flatMap(({ properties }) => properties.coordTimes),
      times,
    );
  });

  it('says what is wrong with a question, and to whom it does not answer', async () => {
    for (const [query, status, code] of [
      [`from=2026-05-05T00:00:00Z&to=2026-05-04T00:00:00Z`, 422, 'HISTORY_RANGE_INVALID'],
      [`from=2026-01-01T00:00:00Z&to=2026-05-04T00:00:00Z`, 422, 'HISTORY_RANGE_INVALID'],
      [`${range}&cursor=x`, 400, 'HISTORY_CURSOR_INVALID'],
      [`${range}&simplify=0`, 422, 'VALIDATION_FAILED'],
      [`${range}&limit=100001`, 422, 'VALIDATION_FAILED'],
      [`${range}&format=kml`, 422, 'VALIDATION_FAILED'],
      [`from=yesterday`, 422, 'VALIDATION_FAILED'],
    ] as const) {
      const { status: answered, body } = await ops.request('GET', `${path}?${query}`);
      assert.deepEqual([answered, body.code], [status, code], query);
    }
    const ask = async (api: Api): Promise<unknown[]> => {
      const { status, body } = await api.request<Problem & Page>('GET', `${path}?${range}&limit=1`);
      return [status, body.code];
    };
    assert.deepEqual(await ask(await platform.as('driver', 'd2')), [403, 'HISTORY_FORBIDDEN']);
    assert.deepEqual(await ask(await platform.as('customer', 'd1')), [403, 'FORBIDDEN']);
    assert.deepEqual(await ask(platform.anonymous()), [401, 'UNAUTHENTICATED']);
    assert.deepEqual(await ask(await platform.as('driver', 'd1')), [200, undefined]);
  });

  it('is busy while a slow client has the only place, says when to come back, and is free when it is gone', async () => {
    const slow = await openSlowly(`${platform.app.addresses.api}${path}?${range}&limit=100000`, ops.token ?? '');
    const busy = await ops.request('GET', `${path}?${range}&format=gpx`);
    assert.deepEqual([busy.status, busy.body.code, busy.headers.get('retry-after')], [503, 'HISTORY_BUSY', '2']);
    // What fits into one frame needs no place.
    assert.equal((await ops.request('GET', `${path}?${range}&limit=10`)).status, 200);
    slow.destroy();
    await until('the place is free', async () => {
      const { status } = await ops.request('GET', `${path}?${range}&format=gpx&limit=10`);
      return status === 200;
    });
  });

  it('tells a phone that sends too much when to send again', async () => {
    await ops.ok('POST', '/drivers', { driverId: 'd1', name: 'D', vehicle: 'van' });
    const { password } = await ops.ok<{ password: string }>('POST', '/drivers/d1/devices', { deviceId: 'phone' });
    const basic = `Basic ${Buffer.from(`d1.phone:${password}`).toString('base64')}`;
    const location = JSON.stringify({ _type: 'location', lat: 48, lon: 11, tst: Math.floor(Date.now() / 1000) });
    const requests: Readonly<Record<string, () => Promise<Response>>> = {
      owntracks: () =>
        fetch(`${platform.app.addresses.api}/tracking/owntracks`, {
          method: 'POST',
          headers: { authorization: basic, 'content-type': 'application/json' },
          body: location,
        }),
      osmand: () =>
        fetch(
          `${platform.app.addresses.api}/tracking/osmand?lat=48&lon=11&timestamp=${Math.floor(Date.now() / 1000)}`,
          {
            headers: { authorization: basic },
          },
        ),
    };
    for (const [format, send] of Object.entries(requests)) {
      const over = await until(`${format} is over its budget`, async () => {
        // Many at once, so that a second that goes by gives back fewer than are sent.
        const answers = await Promise.all(Array.from({ length: 5 }, send));
        const bodies = await Promise.all(answers.map((answer) => answer.text()));
        const index = answers.findIndex(({ status }) => status === 429);
        return index >= 0 && { headers: answers[index]?.headers, body: bodies[index] };
      });
      assert.equal((JSON.parse(over.body ?? '') as Problem).code, 'DEVICE_OVER_BUDGET');
      assert.equal(over.headers?.get('retry-after'), '1');
    }
  });

  it('shows on a node that never ran the hourly job which days are kept', async () => {
    await until('the gauges are set', async () => (await platform.sample('returnit_tracking_partitions')) >= 2);
    assert.equal(
      await platform.sample('returnit_tracking_oldest_day_timestamp_seconds'),
      Date.parse('2026-05-04T00:00:00Z') / 1000,
    );
  });
});

/** A day at 1 Hz on both sides of midnight, in curves: what is on a straight line would thin away to nothing. */
async function fill(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`set search_path to tracking`);
    await client.query(`select make_ping_partitions('{2026-05-04, 2026-05-05}')`);
    await client.query(`insert into ping_tracks (driver_id, device) values ('d1', 'phone')`);
    await client.query(
      `insert into driver_location_pings (recorded_at, track_key, lat, lon, received_lag_centiseconds)
        select $1::timestamptz + s * interval '1 second', (select track_key from ping_tracks),
          round((48.1 + 0.05 * sin(s / 900.0) + 0.002 * sin(s / 41.0)) * 1e7), round((11.5 + 0.1 * cos(s / 1300.0)) * 1e7), 100
        from generate_series(0, $2::int - 1) s`,
      [new Date(beginMs).toISOString(), fixes],
    );
  } finally {
    await client.end();
  }
}

/** A client that has the head of the answer and then reads nothing. */
function openSlowly(url: string, token: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers: { authorization: `Bearer ${token}` } }, (response) => {
      response.pause();
      // It is destroyed by the test.
      response.on('error', () => undefined);
      if (response.statusCode === 200) resolve(response);
      else reject(new Error(`${url} answered ${response.statusCode}`));
    });
    request.on('error', reject);
  });
}
