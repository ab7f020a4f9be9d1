import pg from 'pg';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { startTestServer } from '../support/test-server.ts';
import { median, type BenchResult } from './report.ts';

const fixes = 86_400;
const rounds = 5;
const warmUps = 2;
const day = '2026-05-04';
const range = `from=${day}T00:00:00Z&to=2026-05-05T00:00:00Z`;

interface Read {
  readonly seconds: number;
  /** Until the first byte of the body. */
  readonly firstSeconds: number;
  readonly bytes: number;
}

const asked = {
  json: 'limit=100000',
  geojson: 'format=geojson',
  gpx: 'format=gpx',
  geojson_simplified_10m: 'format=geojson&simplify=10',
} as const;

/** A driver's day at 1 Hz through the API in each format, against the query alone on a connection of its own, turn by turn. */
export async function benchHistory(): Promise<BenchResult> {
  const server = await startTestServer();
  const client = new pg.Client({ connectionString: server.url });
  let platform: TestPlatform | undefined;
  try {
    await client.connect();
    platform = await startPlatform({ config: { databaseUrl: server.url, logLevel: 'error' } });
    await platform.reached('tracking', 'ready');
    await fillDay(client);
    const token = await platform.token('ops', 'bench');
    const api = `${platform.app.addresses.api}/tracking/drivers/bench/history?${range}`;
    const results: Record<string, Read[]> = { raw: [] };
    for (let round = -warmUps; round < rounds; round += 1) {
      const raw = await readRaw(client);
      if (round >= 0) results['raw']?.push(raw);
      for (const [name, query] of Object.entries(asked)) {
        const read = await readApi(`${api}&${query}`, token);
        if (round >= 0) (results[name] ??= []).push(read);
      }
    }
    return toResult(results);
  } finally {
    await platform?.stop();
    await client.end();
    await server.stop();
  }
}

async function fillDay(client: pg.Client): Promise<void> {
  await client.query('set search_path to tracking');
  await client.query('select make_ping_partitions(array[$1::date])', [day]);
  await client.query(`insert into ping_tracks (driver_id, device) values ('bench', 'phone')`);
  // A drive in curves: what is on a straight line would thin away to nothing.
  await client.query(
    `insert into driver_location_pings (recorded_at, track_key, lat, lon, received_lag_centiseconds,
        accuracy_cm, speed_cm_per_s, heading_tenths)
      select $1::date::timestamp at time zone 'utc' + s * interval '1 second',
        (select track_key from ping_tracks where driver_id = 'bench'),
        round((48.1 + 0.05 * sin(s / 900.0) + 0.002 * sin(s / 41.0)) * 1e7), round((11.5 + 0.1 * cos(s / 1300.0)) * 1e7),
        100 + s % 50, 500 + s % 300, 1250 + s % 100, s % 3600
      from generate_series(0, $2::int - 1) s`,
    [day, fixes],
  );
  await client.query('analyze driver_location_pings');
}

async function readRaw(client: pg.Client): Promise<Read> {
  const startMs = performance.now();
  const { rows } = await client.query(
    `select p.recorded_at, t.device, p.lat, p.lon, p.accuracy_cm, p.speed_cm_per_s, p.heading_tenths, p.received_lag_centiseconds, p.flags
      from driver_location_pings p join ping_tracks t using (track_key)
      where t.driver_id = 'bench' and p.recorded_at >= $1::date::timestamp at time zone 'utc' and p.recorded_at < ($1::date + 1)::timestamp at time zone 'utc'
      order by p.recorded_at, p.track_key, p.lat, p.lon`,
    [day],
  );
  const seconds = (performance.now() - startMs) / 1000;
  if (rows.length !== fixes) throw new Error(`The query returned ${rows.length} rows instead of ${fixes}`);
  return { seconds, firstSeconds: seconds, bytes: 0 };
}

async function readApi(url: string, token: string): Promise<Read> {
  const startMs = performance.now();
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}`);
  let bytes = 0;
  let firstSeconds = 0;
  for await (const chunk of response.body) {
    if (bytes === 0) firstSeconds = (performance.now() - startMs) / 1000;
    bytes += chunk.length;
  }
  return { seconds: (performance.now() - startMs) / 1000, firstSeconds, bytes };
}

function toResult(results: Readonly<Record<string, readonly Read[]>>): BenchResult {
  const middle = (name: string, of: keyof Read): number => median((results[name] ?? []).map((read) => read[of]));
  const figures: Record<string, number> = { fixes };
  for (const name of Object.keys(asked)) {
    figures[`${name}_seconds`] = middle(name, 'seconds');
    figures[`${name}_first_byte_seconds`] = middle(name, 'firstSeconds');
    figures[`${name}_bytes`] = middle(name, 'bytes');
  }
  const [ours, baseline] = [middle('geojson', 'seconds'), middle('raw', 'seconds')];
  return { bench: 'history', unit: 's a day', ours, baseline, ratio: ours / baseline, figures };
}
