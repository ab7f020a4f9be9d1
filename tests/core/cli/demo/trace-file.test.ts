import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { distanceM } from '#core/cli/demo/route-point.ts';
import { readTraceFile } from '#core/cli/demo/trace-file.ts';
import { createFolder } from '../../plugin-host/plugin-project.ts';

const recordings = join(import.meta.dirname, '../../../../../shared/data');
const skip = existsSync(recordings) ? false : `the recordings are not there: ${recordings}`;

async function write(t: TestContext, name: string, text: string): Promise<string> {
  const file = join(await createFolder(t), name);
  await writeFile(file, text);
  return file;
}

const gpx = (points: string, version = '1.1'): string =>
  `<?xml version="1.0"?><gpx version="${version}" xmlns="http://www.topografix.com/GPX/1/${version.at(-1)}">` +
  `<trk><trkseg>${points}</trkseg></trk></gpx>`;
const trkpt = (lat: number, lon: number | string, time?: string): string =>
  `<trkpt lat="${lat}" lon="${lon}">${time === undefined ? '' : `<time>${time}</time>`}</trkpt>`;

describe('readTraceFile()', () => {
  it('reads GPX 1.0 and 1.1, several tracks and segments, and leaves points without a time out', async (t) => {
    for (const version of ['1.0', '1.1']) {
      const points = [
        trkpt(40.1, -73.1, '2026-01-01T10:00:00Z'),
        trkpt(1, 1),
        trkpt(40.2, -73.2, '2026-01-01T10:00:05+00:00'),
        `</trkseg><trkseg>${trkpt(40.3, -73.3, '2026-01-01T10:00:06.500Z')}</trkseg></trk><trk><trkseg>`,
        trkpt(40.4, -73.4, '2026-01-01T10:00:07Z'),
      ];
      assert.deepEqual(await readTraceFile(await write(t, 'trace.GPX', gpx(points.join(''), version))), [
        { lat: 40.1, lon: -73.1, offsetMs: 0 },
        { lat: 40.2, lon: -73.2, offsetMs: 5000 },
        { lat: 40.3, lon: -73.3, offsetMs: 6500 },
        { lat: 40.4, lon: -73.4, offsetMs: 7000 },
      ]);
    }
  });

  it('reads CSV with its columns in any order, and the times that loggers write', async (t) => {
    const times = ['2014-09-10 06:54:07+0200', '2014-09-10T04:54:08Z', '1410324849', '1410324850.5'];
    const rows = times.map((time, index) => `${index},"${time}",48.${index},car`);
    const file = await write(t, 'trace.csv', `\uFEFFlon,time,lat,kind\r\n${rows.join('\r\n')}\r\n\r\n`);
    assert.deepEqual(
      (await readTraceFile(file)).map(({ offsetMs }) => offsetMs),
      [0, 1000, 2000, 3500],
    );
  });

  it('reads OwnTracks and leaves out what is no position', async (t) => {
    const lines = [
      { _type: 'location', lat: 40, lon: -73, tst: 1_700_000_010, acc: 5 },
      { _type: 'lwt', tst: 1_700_000_000 },
      { _type: 'transition', lat: 0, lon: 0, tst: 1_700_000_001 },
      { _type: 'location', lat: 41, lon: -74, tst: 1_700_000_000 },
    ].map((line) => JSON.stringify(line));
    for (const name of ['t.ndjson', 't.jsonl', 't.json']) {
      // Sorted by time: phones send late what they could not send before.
      assert.deepEqual(await readTraceFile(await write(t, name, `${lines.join('\n')}\n\n`)), [
        { lat: 41, lon: -74, offsetMs: 0 },
        { lat: 40, lon: -73, offsetMs: 10_000 },
      ]);
    }
  });

  it('does not wait for the pauses of a recording', async (t) => {
    const file = await write(t, 'a.csv', 'time,lat,lon\n0,1,1\n3600,1,1\n3601,1,1\n');
    assert.deepEqual(
      (await readTraceFile(file)).map(({ offsetMs }) => offsetMs),
      [0, 10_000, 11_000],
    );
  });

  it('says which file, which place and what would be right', async (t) => {
    const cases: [name: string, text: string, message: RegExp][] = [
      ['a.txt', 'x', /its name must end in \.gpx, \.csv, \.ndjson, \.jsonl or \.json, not "\.txt"$/],
      ['a.gpx', '<gpx><trk></gpx>', /line 1: /],
      ['b.gpx', 'no xml', /line 1: /],
      ['c.gpx', '', /it has 0 points with a time, at least 2 are needed$|line 1: /],
      ['d.gpx', '<kml></kml>', /it has 0 points with a time, at least 2 are needed$/],
      ['e.gpx', gpx(trkpt(1, 1, '2026-01-01T10:00:00Z')), /it has 1 points with a time, at least 2 are needed$/],
      ['f.gpx', gpx(trkpt(91, 1, '2026-01-01T10:00:00Z')), /trkpt 1: lat must be a number from -90 to 90$/],
      ['g.gpx', gpx(trkpt(1, 'x', '2026-01-01T10:00:00Z')), /trkpt 1: lon must be a number from -180 to 180$/],
      ['h.gpx', gpx(trkpt(1, 1, 'yesterday')), /trkpt 1: time must be ISO 8601 or epoch seconds$/],
      ['i.gpx', gpx(trkpt(1, 1) + trkpt(1, '', '2026-01-01T10:00:00Z')), /trkpt 2: lon must be/],
      ['j.gpx', '<gpx>plain text</gpx>', /it has 0 points/],
      ['a.csv', 'lat,lon\n1,1\n', /line 2: time must be ISO 8601 or epoch seconds$/],
      ['b.csv', 'time,lat,lon\n1,1,1\n2,1,181\n', /line 3: lon must be a number from -180 to 180$/],
      ['c.csv', 'time,lat,lon\n1,1,1\n2,Infinity,1\n', /line 3: lat must be a number from -90 to 90$/],
      ['d.csv', 'time,lat,lon\n1,1,1\n2,1\n', /line 3/],
      ['e.csv', 'time,lat,lon\n1,"1,1\n', /line/i],
      ['f.csv', '', /it has 0 points/],
      ['g.csv', 'time,lat,lon\n1,1,1\n\n\nx,1,1\n', /line 5: time must be/],
      ['a.ndjson', '{"_type":"location","lat":1,"lon":1,"tst":1}\n{', /line 2 must be one JSON object$/],
      ['b.ndjson', 'null\n', /line 1 must be one JSON object$/],
      ['c.ndjson', '[]\n7\n', /line 1 must be one JSON object$/],
      ['d.ndjson', '{"_type":"location","lat":"x","lon":1,"tst":1}', /line 1: lat must be/],
      ['e.ndjson', '{"_type":"location","lat":1,"lon":1}', /line 1: time must be/],
    ];
    for (const [name, text, message] of cases) {
      const file = await write(t, name, text);
      await assert.rejects(readTraceFile(file), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'INVALID_CONFIG', name);
        assert.ok(error.message.startsWith(`Cannot read trace "${file}": `), error.message);
        assert.match(error.message, message, name);
        return true;
      });
    }
    const folder = await createFolder(t);
    await assert.rejects(readTraceFile(join(folder, 'none.gpx')), { message: /: there is no such file$/ });
    await assert.rejects(readTraceFile(folder), { code: 'INVALID_CONFIG' });
  });

  it('expands no entities', async (t) => {
    const bomb = `<?xml version="1.0"?><!DOCTYPE gpx [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]><gpx>&b;</gpx>`;
    await assert.rejects(readTraceFile(await write(t, 'bomb.gpx', bomb)), { code: 'INVALID_CONFIG' });
  });

  it('reads the recordings of others', { skip }, async () => {
    const drive = await readTraceFile(join(recordings, 'munich-car-1hz.csv'));
    assert.equal(drive.length, 1194);
    assert.ok(drive.every((point, index) => index === 0 || point.offsetMs >= (drive[index - 1]?.offsetMs ?? 0)));
    const [first, last] = [drive[0], drive.at(-1)];
    assert.ok(first !== undefined && last !== undefined);
    assert.ok(distanceM(first, last) < 100_000);
    assert.equal((await readTraceFile(join(recordings, 'visnjan-car.gpx'))).length, 104);
    // A hike in GPX 1.0; points without a time are left out.
    const hike = await readTraceFile(join(recordings, 'korita-zbevnica.gpx'));
    assert.ok(hike.length > 100 && hike.length <= 871, String(hike.length));
  });
});
