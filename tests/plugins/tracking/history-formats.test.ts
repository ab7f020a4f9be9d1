import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { exportTrace, type Format } from '../../../plugins/tracking/history/export.ts';
import { escapeXml } from '../../../plugins/tracking/history/gpx.ts';
import { toTrace, traceBeginMs, type FixtureFix } from './trace-fixture.ts';

interface Feature {
  readonly geometry: { readonly type: string; readonly coordinates: unknown };
  readonly properties: {
    readonly device: string;
    readonly from: string;
    readonly to: string;
    readonly coordTimes: unknown;
  };
}

const at = (second: number): string => new Date(traceBeginMs + 1000 * second).toISOString();

async function write(fixes: readonly FixtureFix[], format: Format, simplifyM?: number): Promise<string> {
  const options = { driverId: 'd1', trace: toTrace(fixes), format, simplifyM, nextCursor: null };
  return [...(await exportTrace(options))].join('');
}
const features = async (fixes: readonly FixtureFix[]): Promise<readonly Feature[]> =>
  (JSON.parse(await write(fixes, 'geojson')) as { features: Feature[] }).features;

describe('GeoJSON', () => {
  it('is a line for each stretch of a device, longitude first, with the time of each position', async () => {
    const [first, second, third] = await features([
      { lat: 48.1, lon: 11.5 },
      { lat: 48.2, lon: 11.6, device: 2 },
      { lat: 48.3, lon: 11.7 },
      { lat: 48.4, lon: 11.8, second: 400 },
    ]);
    assert.deepEqual(first?.geometry, {
      type: 'LineString',
      coordinates: [
        [11.5, 48.1],
        [11.7, 48.3],
      ],
    });
    assert.deepEqual(first?.properties, {
      driverId: 'd1',
      device: 'phone',
      from: at(0),
      to: at(2),
      coordTimes: [at(0), at(2)],
    });
    // What is no line is a point.
    assert.deepEqual(second?.geometry, { type: 'Point', coordinates: [11.8, 48.4] });
    assert.deepEqual([second?.properties.device, second?.properties.coordTimes], ['phone', [at(400)]]);
    assert.deepEqual([third?.geometry.type, third?.properties.device], ['Point', 'tablet']);
  });

  it('is cut at the antimeridian, both ways', async () => {
    const [feature] = await features([
      { lat: 10, lon: 179 },
      { lat: 11, lon: -179, second: 10 },
      { lat: 11, lon: 178, second: 13 },
    ]);
    assert.deepEqual(feature?.geometry, {
      type: 'MultiLineString',
      coordinates: [
        [
          [179, 10],
          [180, 10.5],
        ],
        [
          [-180, 10.5],
          [-179, 11],
          [-180, 11],
        ],
        [
          [180, 11],
          [178, 11],
        ],
      ],
    });
    assert.deepEqual(feature?.properties.coordTimes, [
      [at(0), at(5)],
      [at(5), at(10), at(11)],
      [at(11), at(13)],
    ]);
  });

  it('leaves out what was known too badly, and is empty when there is nothing', async () => {
    assert.equal((await features([{ lat: 1, lon: 1, flags: 1 }])).length, 0);
    assert.deepEqual(await features([]), []);
  });
});

describe('GPX', () => {
  it('is well-formed and reads back as it was, with a segment for each stretch and a track for each device', async () => {
    const fixes = [
      { lat: 48.1, lon: 11.5 },
      { lat: -0.0000001, lon: 180, device: 2 },
      { lat: 48.3, lon: 11.7 },
      { lat: 48.4, lon: 11.8, second: 400 },
    ];
    const text = await write(fixes, 'gpx');
    assert.equal(XMLValidator.validate(text), true);
    const parser = new XMLParser({
      ignoreAttributes: false,
      attributeNamePrefix: '',
      isArray: (name) => ['trk', 'trkseg', 'trkpt'].includes(name),
    });
    const { gpx } = parser.parse(text) as { gpx: Record<string, unknown> };
    assert.deepEqual([gpx['version'], gpx['xmlns']], ['1.1', 'http://www.topografix.com/GPX/1/1']);
    assert.deepEqual(gpx['trk'], [
      {
        name: 'phone',
        trkseg: [
          {
            trkpt: [
              { lat: '48.1', lon: '11.5', time: at(0) },
              { lat: '48.3', lon: '11.7', time: at(2) },
            ],
          },
          { trkpt: [{ lat: '48.4', lon: '11.8', time: at(400) }] },
        ],
      },
      { name: 'tablet', trkseg: [{ trkpt: [{ lat: '-0.0000001', lon: '-180', time: at(1) }] }] },
    ]);
  });

  it('escapes names, and is well-formed when empty', async () => {
    assert.equal(escapeXml(`<a href="x">&'\u0000é😀`), '&lt;a href=&quot;x&quot;&gt;&amp;&apos;é😀');
    assert.equal(XMLValidator.validate(await write([], 'gpx')), true);
  });
});

describe('JSON', () => {
  it('is a page, thinned by device in the order of time', async () => {
    const fixes = [0, 1, 2, 3, 4].flatMap((step) => [
      { lat: 48 + step / 1000, lon: 11, second: step },
      { lat: 50 + step / 1000, lon: 11, second: step, device: 2, flags: 2 },
    ]);
    const page = JSON.parse(await write(fixes, 'json', 1)) as { fixes: Record<string, unknown>[]; nextCursor: null };
    assert.deepEqual(
      page.fixes.map(({ device, recordedAt }) => [device, recordedAt]),
      [
        ['phone', at(0)],
        ['tablet', at(0)],
        ['phone', at(4)],
        ['tablet', at(4)],
      ],
    );
    assert.deepEqual(page.fixes[1], {
      device: 'tablet',
      recordedAt: at(0),
      lat: 50,
      lon: 11,
      accuracyM: null,
      speedMps: 12.5,
      headingDeg: 89.9,
      receivedAt: new Date(traceBeginMs + 420).toISOString(),
      flags: ['impossible_speed'],
    });
    assert.equal(page.nextCursor, null);
  });
});
