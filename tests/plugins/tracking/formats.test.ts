import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { Fix } from '../../../plugins/tracking/fix.ts';
import { ownTracksTypes, readOwnTracks } from '../../../plugins/tracking/formats/owntracks.ts';
import { readOsmAnd } from '../../../plugins/tracking/formats/osmand.ts';
import { parseMessage, type ParsedMessage } from '../../../plugins/tracking/parse.ts';
import { isOwnId, toSpeaker } from '../../../plugins/tracking/speaker.ts';

function parse(topic: string, payload: unknown, now: string): ParsedMessage {
  const message = {
    topic,
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
    username: 'd1.phone',
    receivedAt: now,
    retained: false,
    duplicate: false,
  };
  return parseMessage(message, Date.parse(now));
}

function fixOf(parsed: ParsedMessage): Fix {
  assert.equal(parsed.kind, 'fix', JSON.stringify(parsed));
  return parsed.fix;
}

const reasonOf = (parsed: ParsedMessage): string => (parsed.kind === 'rejected' ? parsed.reason : parsed.kind);

describe('readOwnTracks()', () => {
  const topic = 'owntracks/d1/phone';

  it('reads the example of the booklet for HTTP servers', () => {
    const text = '{"lon":2.29513,"lat":48.85833,"_type":"location","tst":1497476456, "tid":"JJ"}';
    assert.deepEqual(fixOf(parse(topic, text, '2017-06-14T21:41:00Z')), {
      driverId: 'd1',
      device: 'phone',
      recordedAt: '2017-06-14T21:40:56.000Z',
      lat: 48.85833,
      lon: 2.29513,
      accuracyM: null,
      speedMps: null,
      headingDeg: null,
      flags: [],
    });
  });

  it("takes the app's own topic, whose user name says driver and device", () => {
    const text = { _type: 'location', lat: 1, lon: 2, tst: 1497476456 };
    const fix = fixOf(parse('owntracks/d1.my.phone/Pixel 7', text, '2017-06-14T21:41:00Z'));
    assert.deepEqual([fix.driverId, fix.device], ['d1', 'my.phone']);
    for (const topic of [
      'owntracks/d1.phone',
      'owntracks/.phone/x',
      'owntracks/d1./x',
      'owntracks/d1.a b/x',
      'owntracks/d1.phone/x/event',
    ])
      assert.equal(reasonOf(parse(topic, text, '2017-06-14T21:41:00Z')), 'topic', topic);
  });

  it('converts km/h, and takes the values of the example of the format', () => {
    // The values of "_type=location" in the booklet; it has letters in place of the coordinates.
    const values =
      '"acc":75,"alt":13,"batt":80,"cog":270,"rad":50,"t":"u","tid":"YY","vac":10,"vel":54,"p":101.3,"conn":"w"';
    const text = `{"_type":"location",${values},"lat":52.5,"lon":13.4,"tst":1376715317}`;
    const fix = fixOf(parse(topic, text, '2013-08-17T05:00:00Z'));
    assert.deepEqual([fix.accuracyM, fix.speedMps, fix.headingDeg], [75, 15, 270]);
    assert.equal(fix.recordedAt, '2013-08-17T04:55:17.000Z');
  });

  it('takes what phones send for unknown as unknown', () => {
    const fix = fixOf(
      parse(
        topic,
        { _type: 'location', lat: 1, lon: 2, tst: 1497476456, acc: 0, vel: -1, cog: -1 },
        '2017-06-14T21:41:00Z',
      ),
    );
    assert.deepEqual([fix.accuracyM, fix.speedMps, fix.headingDeg], [null, null, null]);
  });

  it('looks at no member but those of a position', () => {
    const looked = new Set<string>();
    const members: Record<string, unknown> = { _type: 'location' };
    const watched = new Proxy(members, {
      get(target, name) {
        looked.add(String(name));
        return Reflect.get(target, name) as unknown;
      },
    });
    readOwnTracks(watched);
    assert.deepEqual(Array.from(looked).sort(), ['_type', 'acc', 'cog', 'lat', 'lon', 'tst', 'vel']);
  });

  it('uses each type as the table says, and ignores one that nobody knows yet', () => {
    const kinds = { fix: 'location', will: 'lwt', ignored: 'ignored', refused: 'rejected' } as const;
    for (const [type, { use }] of Object.entries(ownTracksTypes)) {
      assert.equal(readOwnTracks({ _type: type }).kind, kinds[use], type);
    }
    for (const type of ['levitation', '__proto__', 'constructor', '']) {
      assert.equal(readOwnTracks({ _type: type }).kind, 'ignored', type);
    }
  });

  it('has every type of the booklet', () => {
    const documented =
      'beacon card cmd configuration encrypted location lwt request status steps transition waypoint waypoints';
    assert.deepEqual(Object.keys(ownTracksTypes).toSorted(), documented.split(' '));
  });

  it('refuses what is encrypted with a reason of its own', () => {
    assert.equal(reasonOf(parse(topic, { _type: 'encrypted', data: 'b64' }, '2017-06-14T21:41:00Z')), 'encrypted');
  });
});

describe('readOsmAnd()', () => {
  const topic = 'osmand/d1/phone';
  const now = '2024-07-30T14:31:00Z';
  const right = { lat: '34.0522', lon: '-118.2437', timestamp: '2024-07-30T14:30:00Z' };

  it('reads parameters, and converts knots', () => {
    const fix = fixOf(
      parse(
        topic,
        { ...right, speed: '50', bearing: '270', accuracy: '5.0', altitude: '100', hdop: '1.2', batt: '85' },
        now,
      ),
    );
    assert.deepEqual(fix, {
      driverId: 'd1',
      device: 'phone',
      recordedAt: '2024-07-30T14:30:00.000Z',
      lat: 34.0522,
      lon: -118.2437,
      accuracyM: 5,
      speedMps: 25.72,
      headingDeg: 270,
      flags: [],
    });
  });

  it('reads the other spellings: location, heading, and every form of a time', () => {
    const fix = fixOf(parse(topic, { location: '34.0522,-118.2437', heading: '90', timestamp: '1722349800' }, now));
    assert.deepEqual([fix.lat, fix.lon, fix.headingDeg], [34.0522, -118.2437, 90]);
    for (const timestamp of ['1722349800', '1722349800000', '2024-07-30T16:30:00+02:00', '2024-07-30 14:30:00']) {
      assert.equal(fixOf(parse(topic, { ...right, timestamp }, now)).recordedAt, '2024-07-30T14:30:00.000Z', timestamp);
    }
  });

  it("reads the JSON of Traccar's page: its example is a place that is none", () => {
    const example = `{
      "location": {
        "timestamp": "2000-01-01T00:00:00.000Z",
        "coords": { "latitude": 0.0, "longitude": 0.0, "accuracy": 0, "speed": 0, "heading": 0, "altitude": 0 },
        "is_moving": false,
        "odometer": 0,
        "event": "motionchange",
        "battery": { "level": 1, "is_charging": false },
        "activity": { "type": "still" },
        "extras": {}
      },
      "device_id": "48241179"
    }`;
    const at = '2000-01-01T00:00:01Z';
    assert.equal(reasonOf(parse(topic, example, at)), 'null_island');
    const placed = example.replace('"latitude": 0.0', '"latitude": 48.1');
    const fix = fixOf(parse(topic, placed, at));
    assert.deepEqual([fix.accuracyM, fix.speedMps, fix.headingDeg], [null, 0, 0]);
    const moving = placed.replace('"speed": 0', '"speed": 12.5');
    assert.equal(fixOf(parse(topic, moving, at)).speedMps, 12.5, 'metres a second, not knots');
    const unknown = placed.replace(/("(?:speed|heading|accuracy)"): 0/g, '$1: -1');
    const { accuracyM, speedMps, headingDeg } = fixOf(parse(topic, unknown, at));
    assert.deepEqual([accuracyM, speedMps, headingDeg], [null, null, null]);
  });

  it('does not lose a place to an extra that cannot be read', () => {
    for (const extra of ['NaN', '', '{5}', 'Infinity', '-1', '0x10']) {
      const fix = fixOf(parse(topic, { ...right, speed: extra, bearing: extra, accuracy: extra }, now));
      assert.deepEqual([fix.accuracyM, fix.speedMps, fix.headingDeg], [null, null, null], extra);
    }
  });

  for (const [expected, members] of [
    ['ignored', {}],
    ['ignored', { batt: '80' }],
    ['ignored', { ...right, valid: 'false' }],
    ['ignored', { location: { timestamp: now } }],
    ['schema', { ...right, lat: 'NaN' }],
    ['schema', { ...right, lon: '{1}' }],
    ['schema', { timestamp: now, lat: '1' }],
    ['schema', { ...right, lat: ['1', '2'] }],
    ['schema', { location: { timestamp: now, coords: 7 } }],
    ['schema', { location: { timestamp: now, coords: { latitude: '1', longitude: 2 } } }],
    ['range', { ...right, lat: '90.5' }],
    ['range', { ...right, lat: '1e300' }],
    ['time_unreadable', { lat: '1', lon: '2' }],
    ['time_unreadable', { ...right, timestamp: 'yesterday' }],
    ['future', { ...right, timestamp: '9999999999999' }],
  ] as const) {
    it(`says '${expected}' of ${JSON.stringify(members)}`, () => {
      assert.equal(reasonOf(parse(topic, members, now)), expected);
    });
  }

  it('answers whatever an app sends', () => {
    const text = fc.oneof(fc.string(), fc.double().map(String), fc.constant('1'));
    const parameters = fc.record(
      { lat: text, lon: text, location: text, timestamp: text, speed: text, bearing: text, accuracy: text },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(parameters, fc.object()), (members) => {
        readOsmAnd(members);
        readOwnTracks(members);
        assert.ok(parse(topic, members, now).kind.length > 0);
      }),
    );
  });
});

describe('toSpeaker()', () => {
  const device = (id: string, ...publish: string[]) => toSpeaker({ id, role: 'device', publish });

  it('takes the driver from what the credentials may publish', () => {
    assert.deepEqual(device('d1.phone', 'drivers/d1/location', 'owntracks/d1/phone'), {
      username: 'd1.phone',
      driverId: 'd1',
      device: 'phone',
    });
  });

  it('takes no word from a user name that may publish for nobody, or for another', () => {
    for (const publish of [[], ['scanners/d1/scan'], ['drivers/d2/location'], ['drivers/+/location'], ['#']])
      assert.equal(device('d1.phone', ...publish), undefined, publish.join());
    assert.equal(device('d1', 'drivers/d1/location'), undefined);
    assert.equal(device('d1.a/b', 'drivers/d1/location'), undefined);
  });

  it('knows its own names from those of others', () => {
    const speaker = { username: 'd1.phone', driverId: 'd1', device: 'phone' };
    for (const id of [undefined, '', 'd1', 'd1.phone']) assert.ok(isOwnId(id, speaker));
    for (const id of ['d2', 'd1.tablet', 'phone', 48_241_179, ['d1'], null]) assert.ok(!isOwnId(id, speaker));
  });
});
