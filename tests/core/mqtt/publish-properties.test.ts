import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import mqttPacket, { type IPublishPacket } from 'mqtt-packet';
import { readHeader, readPublishHead } from '#core/mqtt/frame.ts';
import { readPublishProperties } from '#core/mqtt/publish-properties.ts';

const properties = fc.record(
  {
    payloadFormatIndicator: fc.boolean(),
    messageExpiryInterval: fc.integer({ min: 0, max: 4_294_967_295 }),
    contentType: fc.string(),
    responseTopic: fc.constantFrom('a', 'a/b'),
    correlationData: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    userProperties: fc.dictionary(fc.constantFrom('a', 'b'), fc.string(), { minKeys: 1, noNullPrototype: true }),
    subscriptionIdentifier: fc.array(fc.integer({ min: 1, max: 268_435_455 }), { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: [] },
);

function toBody(publish: Partial<IPublishPacket>): Buffer {
  const packet = {
    cmd: 'publish',
    topic: 'a/b',
    payload: '',
    qos: 1,
    messageId: 7,
    dup: false,
    retain: false,
  } as const;
  const bytes = mqttPacket.generate({ ...packet, ...publish }, { protocolVersion: 5 });
  const header = readHeader(bytes, 0);
  assert.ok(header);
  const head = readPublishHead(bytes, 0, header);
  assert.equal(head?.messageId, 7);
  return head.body;
}

describe('readPublishProperties()', () => {
  it('finds the payload behind any properties, and the subscriptions among them', () => {
    fc.assert(
      fc.property(properties, fc.string(), (given, payload) => {
        const read = readPublishProperties(toBody({ payload, properties: given }));
        assert.equal(read?.payload.toString(), Buffer.from(payload).toString());
        assert.deepEqual(read.subscriptionIdentifiers, given.subscriptionIdentifier ?? []);
      }),
    );
  });

  it('leaves a topic alias, and what is cut off, to the library', () => {
    assert.equal(readPublishProperties(toBody({ properties: { topicAlias: 3 } })), undefined);
    const body = toBody({ properties: { contentType: 'text/plain', subscriptionIdentifier: 9 } });
    for (let length = 0; length < body.length; length += 1) {
      assert.equal(readPublishProperties(body.subarray(0, length)), undefined);
    }
  });

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const read = readPublishProperties(Buffer.from(bytes));
        assert.ok(read === undefined || read.payload.length <= bytes.length);
      }),
    );
  });
});
