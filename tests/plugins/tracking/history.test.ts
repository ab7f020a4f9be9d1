import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Principal } from '#plugin-api';
import type { Fix } from '../../../plugins/tracking/fix.ts';
import { plugin } from '../../../plugins/tracking/plugin.ts';
import { storeFixes } from '../../../plugins/tracking/store/fixes.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';

const ops: Principal = { id: 'o1', role: 'ops' };
const beginMs = Date.parse('2026-05-04T08:00:00Z');
const range = { from: '2026-05-04T08:00:00Z', to: '2026-05-04T20:00:00Z' };

const toFix = (second: number, changes: Partial<Fix> = {}): Fix => ({
  driverId: 'd1',
  device: 'phone',
  recordedAt: new Date(beginMs + 1000 * second).toISOString(),
  // A bend each hundred fixes: something is left when it is thinned.
  lat: 48 + second / 10_000,
  lon: 11 + (Math.abs((second % 200) - 100) * 2) / 10_000,
  accuracyM: 5,
  speedMps: 12.5,
  headingDeg: 90,
  flags: [],
  ...changes,
});

interface Page {
  readonly fixes: readonly { readonly recordedAt: string; readonly device: string }[];
  readonly nextCursor: string | null;
}

describe("a driver's history", () => {
  let data: PluginDatabase;
  let running: RunningPlugin;
  before(async () => {
    data = await createPluginDatabase('tracking', 'orders', 'drivers');
    running = await runPlugin(plugin, data.db);
  });
  after(() => data.stop());
  beforeEach(() => data.sql('truncate driver_location_pings'));

  const ask = (query: object, principal = ops, driverId = 'd1'): Promise<Reply> =>
    running.request('GET /tracking/drivers/{driverId}/history', {
      principal,
      params: { driverId },
      query: { ...range, ...query },
    });
  const askPage = async (query: object): Promise<Page> => {
    const { text, body } = await ask(query);
    return text === undefined ? (body as unknown as Page) : (JSON.parse(text) as Page);
  };

  it('joins its pages exactly, whatever arrives late in between, in one frame and as a stream', async () => {
    const seconds = Array.from({ length: 5000 }, (_, second) => second);
    await storeFixes(
      data.db,
      seconds.map((second) => toFix(second)),
    );
    for (const limit of [700, 1500]) {
      const seen: string[] = [];
      let late = 0;
      let cursor: string | null = null;
      do {
        const page: Page = await askPage({ limit, ...(cursor === null ? {} : { cursor }) });
        assert.ok(page.fixes.length <= limit);
        seen.push(...page.fixes.map(({ recordedAt }) => recordedAt));
        cursor = page.nextCursor;
        // One that belongs before the cursor, and one beyond the end of all pages so far.
        late += 1;
        await storeFixes(data.db, [toFix(0.1 * late), toFix(5000 + limit + late)]);
      } while (cursor !== null);
      assert.deepEqual(seen, [...new Set(seen)].toSorted());
      for (const second of seconds) assert.ok(seen.includes(toFix(second).recordedAt), `${second} is missing`);
      await data.sql(
        `delete from driver_location_pings where recorded_at >= $1 or recorded_at <> date_trunc('second', recorded_at)`,
        [toFix(5000).recordedAt],
      );
    }
  });

  it('reads more than one page of the database, and says the same as many small ones', async () => {
    for (let start = 0; start < 20_000; start += 5000) {
      await storeFixes(
        data.db,
        Array.from({ length: 5000 }, (_, index) => toFix(start + index)),
      );
    }
    const whole = await askPage({ limit: 100_000 });
    assert.equal(whole.fixes.length, 20_000);
    assert.equal(whole.nextCursor, null);
    const first = await askPage({ limit: 1000 });
    assert.deepEqual(whole.fixes.slice(0, 1000), first.fixes);
    const { text = '', headers } = await ask({ format: 'geojson', limit: 12_000 });
    const collection = JSON.parse(text) as {
      features: { geometry: { coordinates: unknown[] } }[];
      nextCursor: string;
    };
    assert.equal(collection.features[0]?.geometry.coordinates.length, 12_000);
    const next = new URL(/^<([^>]+)>; rel="next"$/.exec(headers?.['link'] ?? '')?.[1] ?? '', 'http://x');
    assert.equal(next.searchParams.get('cursor'), collection.nextCursor);
    const rest = await ask({ ...Object.fromEntries(next.searchParams), limit: 12_000 });
    assert.equal((JSON.parse(rest.text ?? '') as typeof collection).features[0]?.geometry.coordinates.length, 8000);
    assert.equal(headers?.['content-disposition'], 'attachment; filename="d1-2026-05-04T080000000Z.geojson"');
  });

  it('keeps the border of each page when it thins, so that pages join as the fixes do', async () => {
    await storeFixes(
      data.db,
      Array.from({ length: 3000 }, (_, second) => toFix(second)),
    );
    const pages: Page[] = [];
    let cursor: string | null = null;
    do {
      const page: Page = await askPage({ limit: 1100, simplify: 2, ...(cursor === null ? {} : { cursor }) });
      pages.push(page);
      cursor = page.nextCursor;
    } while (cursor !== null);
    assert.deepEqual(
      pages.map(({ fixes }) => [fixes[0]?.recordedAt, fixes.at(-1)?.recordedAt]),
      [
        [0, 1099],
        [1100, 2199],
        [2200, 2999],
      ].map((ends) => ends.map((second) => toFix(second).recordedAt)),
    );
    const kept = pages.reduce((sum, { fixes }) => sum + fixes.length, 0);
    assert.ok(kept < 100, `${kept} fixes are kept`);
  });

  it('is for ops, and for a driver its own', async () => {
    await storeFixes(data.db, [toFix(1), toFix(2, { driverId: 'd2' })]);
    assert.equal((await askPage({})).fixes.length, 1);
    assert.equal((await ask({}, { id: 'd1', role: 'driver' })).status, 200);
    const other = await ask({}, { id: 'd2', role: 'driver' });
    assert.deepEqual([other.status, other.code], [403, 'HISTORY_FORBIDDEN']);
    await assert.rejects(ask({}, { id: 'c1', role: 'customer' }), /is not for them/);
  });

  it('says what is wrong with a question', async () => {
    for (const [query, code] of [
      [{ from: range.to, to: range.from }, 'HISTORY_RANGE_INVALID'],
      [{ from: '2026-01-01T00:00:00Z' }, 'HISTORY_RANGE_INVALID'],
      [{ cursor: 'x' }, 'HISTORY_CURSOR_INVALID'],
      [{ simplify: 0 }, 'VALIDATION_FAILED'],
      [{ simplify: 10_001 }, 'VALIDATION_FAILED'],
      [{ format: 'kml' }, 'VALIDATION_FAILED'],
      [{ limit: 100_001 }, 'VALIDATION_FAILED'],
      [{ from: 'yesterday' }, 'VALIDATION_FAILED'],
    ] as const) {
      assert.equal((await ask(query)).code, code, JSON.stringify(query));
    }
  });

  it('takes its limits from the settings', async () => {
    const changed = await runPlugin(plugin, data.db, {
      TRACKING_HISTORY_FIXES_MAX: '1000',
      TRACKING_HISTORY_RANGE_DAYS: '40',
      TRACKING_HISTORY_EXPORTS_MAX: '1',
    });
    await storeFixes(
      data.db,
      Array.from({ length: 1001 }, (_, second) => toFix(second)),
    );
    const exported = (query: object): Promise<Reply> =>
      changed.request('GET /tracking/drivers/{driverId}/history', {
        principal: ops,
        params: { driverId: 'd1' },
        query: { from: '2026-04-01T00:00:00Z', to: '2026-05-10T00:00:00Z', ...query },
      });
    assert.equal((await exported({ limit: 1001 })).code, 'VALIDATION_FAILED');
    const replies = await Promise.all([exported({ format: 'gpx' }), exported({ format: 'gpx' })]);
    assert.deepEqual(
      replies.map(({ status, text }) => [status, text?.match(/<trkpt /g)?.length]),
      [
        [200, 1000],
        [503, undefined],
      ],
    );
    assert.equal(replies[1]?.headers?.['retry-after'], '2');
  });

  it('reads so many at a time, and gives the place back', async () => {
    await storeFixes(data.db, [toFix(1)]);
    const many = (): Promise<Reply[]> => Promise.all(Array.from({ length: 9 }, () => ask({ format: 'gpx' })));
    for (let round = 0; round < 2; round += 1) {
      const codes = (await many()).map(({ status, code }) => code ?? status);
      assert.deepEqual(codes, [...Array.from({ length: 8 }, () => 200), 'HISTORY_BUSY']);
    }
  });
});
