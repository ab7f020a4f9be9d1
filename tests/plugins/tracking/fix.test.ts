import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { MqttMessage } from '#plugin-api';
import { messageReasons, type Fix } from '../../../plugins/tracking/fix.ts';
import { parseMessage } from '../../../plugins/tracking/parse.ts';
import { defaultLimits } from '../../../plugins/tracking/validate.ts';

const { futureToleranceMs, retentionMs: ageMaxMs } = defaultLimits;
const now = Date.parse('2026-05-04T08:00:00Z');
const right = { lat: 48.1, lon: 11.5, recordedAt: '2026-05-04T07:59:58.250Z' };

function toMessage(payload: unknown, changes: Partial<MqttMessage> = {}): MqttMessage {
  return {
    topic: 'drivers/d1/location',
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
    username: 'd1.phone',
    receivedAt: '2026-05-04T08:00:00.000Z',
    retained: false,
    duplicate: false,
    ...changes,
  };
}

const reasonOf = (message: MqttMessage): string => {
  const parsed = parseMessage(message, now);
  return parsed.kind === 'rejected' ? parsed.reason : parsed.kind;
};

function fixOf(payload: unknown, changes: Partial<MqttMessage> = {}): Fix {
  const parsed = parseMessage(toMessage(payload, changes), now);
  assert.equal(parsed.kind, 'fix', JSON.stringify(parsed));
  return parsed.fix;
}

describe('parseMessage()', () => {
  it('reads our own format, and takes the driver from the topic and the device from the credentials', () => {
    const payload = {
      ...right,
      accuracyM: 4.5,
      speedMps: 3,
      headingDeg: 360,
      driverId: 'd9',
      device: 'other',
      more: [1],
    };
    assert.deepEqual(fixOf(payload), {
      driverId: 'd1',
      device: 'phone',
      recordedAt: '2026-05-04T07:59:58.250Z',
      lat: 48.1,
      lon: 11.5,
      accuracyM: 4.5,
      speedMps: 3,
      headingDeg: 0,
      flags: [],
    });
  });

  it('takes the device from the payload when the broker does not tell who published', () => {
    assert.equal(fixOf({ ...right, device: 'tablet' }, { username: null }).device, 'tablet');
    assert.equal(fixOf(right, { username: null }).device, 'default');
    assert.equal(fixOf(right, { username: 'd10.phone' }).device, 'default');
  });

  it('reads times as ISO 8601 with any zone or as epoch seconds', () => {
    const expected = '2026-05-04T07:59:58.000Z';
    for (const recordedAt of ['2026-05-04T09:59:58+02:00', '2026-05-04T09:59:58+0200', Date.parse(expected) / 1000]) {
      assert.equal(fixOf({ ...right, recordedAt }).recordedAt, expected);
    }
  });

  it('reads OwnTracks and converts its units', () => {
    const owntracks = {
      _type: 'location',
      lat: 48.1,
      lon: 11.5,
      tst: now / 1000,
      vel: 36,
      acc: 12,
      cog: 90,
      batt: 80,
      tid: 'ph',
    };
    assert.deepEqual(fixOf(owntracks, { topic: 'owntracks/d1/my.phone', username: null }), {
      driverId: 'd1',
      device: 'my.phone',
      recordedAt: '2026-05-04T08:00:00.000Z',
      lat: 48.1,
      lon: 11.5,
      accuracyM: 12,
      speedMps: 10,
      headingDeg: 90,
      flags: [],
    });
    const unknown = fixOf({ ...owntracks, vel: -1, acc: -1, cog: -1 }, { topic: 'owntracks/d1/p' });
    assert.deepEqual([unknown.speedMps, unknown.accuracyM, unknown.headingDeg], [null, null, null]);
  });

  it('ignores what else OwnTracks sends', () => {
    for (const body of [
      { _type: 'waypoint', desc: 'x' },
      { _type: 'transition', event: 'enter' },
    ]) {
      assert.equal(reasonOf(toMessage(body, { topic: 'owntracks/d1/p' })), 'ignored');
    }
  });

  const wrong: readonly (readonly [reason: (typeof messageReasons)[number], MqttMessage])[] = [
    ['topic', toMessage(right, { topic: 'drivers//location' })],
    ['topic', toMessage(right, { topic: 'drivers/a b/location' })],
    ['topic', toMessage(right, { topic: 'drivers/d1/location/x' })],
    ['topic', toMessage(right, { topic: 'owntracks/d1/a b' })],
    ['topic', toMessage(right, { topic: 'others/d1/location' })],
    ['encoding', toMessage('/w==', { refused: { reason: 'encoding', payloadBytes: 1 } })],
    ['payload_too_large', toMessage('eA==', { refused: { reason: 'too-large', payloadBytes: 500_000 } })],
    ['payload_too_large', toMessage({ ...right, more: 'x'.repeat(5000) })],
    ['malformed_json', toMessage('{"lat":')],
    ['malformed_json', toMessage('')],
    ['malformed_json', toMessage('{"lat":NaN,"lon":1}')],
    ['schema', toMessage('[1,2]')],
    ['schema', toMessage('null')],
    ['schema', toMessage({ ...right, lat: '48.1' })],
    ['schema', toMessage({ recordedAt: right.recordedAt })],
    ['schema', toMessage({ ...right, speedMps: 'fast' })],
    ['schema', toMessage({ ...right, device: 'a/b' }, { username: null })],
    ['schema', toMessage({ ...right, device: 7 }, { username: null })],
    ['schema', toMessage({ lat: 1, lon: 1, tst: 1 }, { topic: 'owntracks/d1/p' })],
    ['encrypted', toMessage({ _type: 'encrypted', data: 'AAAA' }, { topic: 'owntracks/d1/p' })],
    ['range', toMessage({ ...right, lat: 90.1 })],
    ['range', toMessage({ ...right, lon: -180.1 })],
    ['range', toMessage('{"lat":1e999,"lon":11,"recordedAt":"2026-05-04T08:00:00Z"}')],
    ['range', toMessage({ ...right, accuracyM: -1 })],
    ['range', toMessage({ ...right, headingDeg: 361 })],
    ['null_island', toMessage({ ...right, lat: 0, lon: -0 })],
    ['null_island', toMessage({ ...right, lat: 1e-300, lon: 1e-12 })],
    ['time_unreadable', toMessage({ lat: 48.1, lon: 11.5 })],
    ['time_unreadable', toMessage({ ...right, recordedAt: '2026-05-04T08:00:00' })],
    ['time_unreadable', toMessage({ ...right, recordedAt: '2026-13-04T08:00:00Z' })],
    ['time_unreadable', toMessage({ ...right, recordedAt: 1e300 })],
    ['time_unreadable', toMessage({ _type: 'location', lat: 1, lon: 1 }, { topic: 'owntracks/d1/p' })],
    ['future', toMessage({ ...right, recordedAt: (now + futureToleranceMs + 1) / 1000 })],
    // Milliseconds instead of seconds.
    ['future', toMessage({ ...right, recordedAt: now })],
    ['too_old', toMessage({ ...right, recordedAt: (now - ageMaxMs - 1) / 1000 })],
  ];
  for (const [reason, message] of wrong) {
    it(`rejects with '${reason}': ${message.topic} ${message.payload.slice(0, 60)}`, () => {
      assert.equal(reasonOf(message), reason);
    });
  }

  it('takes what lies on a border: of the tolerance, of the age that is kept, and of what exists', () => {
    for (const ms of [now + futureToleranceMs, now - ageMaxMs]) {
      assert.equal(fixOf({ ...right, recordedAt: ms / 1000 }).recordedAt, new Date(ms).toISOString());
    }
    for (const changes of [{ lat: 90 }, { lat: -90 }, { lon: 180 }, { lon: -180 }, { lat: 0 }, { speedMps: 0 }]) {
      fixOf({ ...right, ...changes });
    }
  });

  it('flags a fix whose accuracy is known to be bad, and takes it', () => {
    assert.deepEqual(fixOf({ ...right, accuracyM: 200 }).flags, []);
    assert.deepEqual(fixOf({ ...right, accuracyM: 200.1 }).flags, ['inaccurate']);
    assert.deepEqual(fixOf(right).flags, []);
  });

  it('says which rule a message breaks, and no coordinate', () => {
    for (const [, message] of wrong) {
      const parsed = parseMessage(message, now);
      assert.ok(parsed.kind === 'rejected');
      assert.match(parsed.detail, /^[\w'].{10,100}$/);
      assert.doesNotMatch(parsed.detail, /48\.1|11\.5/);
    }
  });

  it('has a test of every reason', () => {
    assert.deepEqual([...new Set(wrong.map(([reason]) => reason))].toSorted(), messageReasons.toSorted());
  });

  it('answers whatever a device sends, and lets through only what a database takes', () => {
    const anything = fc.oneof(
      fc.string(),
      fc.json(),
      fc.record({ lat: fc.double(), lon: fc.double(), recordedAt: fc.double() }),
    );
    fc.assert(
      fc.property(anything, fc.string(), (payload, username) => {
        const parsed = parseMessage(toMessage(payload, { username: `d1.${username}` }), now);
        if (parsed.kind !== 'fix') return;
        const { fix } = parsed;
        assert.ok(Number.isFinite(fix.lat) && Number.isFinite(fix.lon));
        assert.match(fix.device, /^[A-Za-z0-9._-]{1,64}$/);
      }),
    );
  });
});
