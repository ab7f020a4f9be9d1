import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { frame, hostile } from './peer-fixture.ts';

describe('createPeer() with a sender that keeps to no rule', () => {
  it('gives up on a receiver that takes no answers', async () => {
    const { raw, violation } = hostile({ onCall: () => 'x'.repeat(60_000), callsInFlightMax: 64 });
    for (let id = 1; id <= 64; id += 1) raw.write(frame({ t: 'call', id, method: 'a.b', args: null }));
    assert.match((await violation).message, /bytes wait for a reader/);
  });

  const violations: Record<string, { send: unknown; message: RegExp }> = {
    'bad JSON': { send: '{"t":', message: /not JSON/ },
    'an empty array': { send: [], message: /not an object/ },
    'an array in an array': { send: [{ t: 'note', method: 'a.b' }, [{}]], message: /not an object/ },
    null: { send: 'null', message: /not an object/ },
    'an unknown type': { send: { t: 'eval' }, message: /type is unknown/ },
    'a type from the prototype': { send: { t: 'constructor', id: 1 }, message: /type is unknown/ },
    'a field too many': { send: { t: 'cancel', id: 1, x: 1 }, message: /no such field/ },
    'an id that is no integer': { send: { t: 'call', id: 1.5, method: 'a.b' }, message: /'id'/ },
    'an id that is a string': { send: { t: 'ok', id: '1' }, message: /'id'/ },
    'a method that is an object': { send: { t: 'note', method: {} }, message: /'method'/ },
    'a method with a path': { send: { t: 'call', id: 1, method: '../x' }, message: /'method'/ },
    'a bad traceparent': { send: { t: 'note', method: 'a.b', traceparent: 'x' }, message: /'traceparent'/ },
    'a call within no call': { send: { t: 'note', method: 'a.b', within: '1' }, message: /'within'/ },
    'a bad deadline': { send: { t: 'call', id: 1, method: 'a.b', timeoutMs: -1 }, message: /'timeoutMs'/ },
    'an error without a message': { send: { t: 'error', id: 1, error: { code: 'X' } }, message: /'error'/ },
    'an answer to no call': { send: { t: 'ok', id: 99 }, message: /answers call 99/ },
  };
  for (const [name, { send, message }] of Object.entries(violations)) {
    it(`ends the connection at ${name}`, async () => {
      const { raw, violation } = hostile();
      raw.write(frame(send));
      const error = await violation;
      assert.equal(error.code, 'PROTOCOL_VIOLATION');
      assert.match(error.message, message);
    });
  }

  it('ends the connection at a reused id', async () => {
    const { raw, violation } = hostile({ onCall: () => new Promise(() => {}) });
    raw.write(Buffer.concat([frame({ t: 'call', id: 1, method: 'a.b' }), frame({ t: 'call', id: 1, method: 'a.b' })]));
    assert.match((await violation).message, /call 1 is already in flight/);
  });

  it('refuses an oversized frame by its length alone', async () => {
    const { raw, violation } = hostile();
    raw.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    assert.match((await violation).message, /4294967295 bytes, at most 65536/);
  });

  it('reads frames cut at every byte', async () => {
    const seen: unknown[] = [];
    const done = Promise.withResolvers<void>();
    const { raw } = hostile({
      onNote: (note) => {
        seen.push(note.args);
        if (seen.length === 3) done.resolve();
      },
    });
    const bytes = Buffer.concat([1, 'ü😀', { a: [] }].map((args) => frame({ t: 'note', method: 'a.b', args })));
    for (const byte of bytes) raw.write(Buffer.from([byte]));
    await done.promise;
    assert.deepEqual(seen, [1, 'ü😀', { a: [] }]);
  });

  it('drops notes above the limit of a second however they are written, and reports a flood once', async () => {
    let taken = 0;
    const floods: number[] = [];
    const flood = Promise.withResolvers<void>();
    const { raw, peer } = hostile({
      notesPerSecondMax: 10,
      onNote: () => (taken += 1),
      onFlood: (dropped) => {
        floods.push(dropped);
        flood.resolve();
      },
    });
    const spellings = ['{"t":"note","method":"a.b"}', '{"method":"a.b","t":"note"}', '{"t":"cancel","id":9}'];
    for (let round = 0; round < 50; round += 1) raw.write(Buffer.concat(spellings.map((text) => frame(text))));
    await flood.promise;
    raw.write(frame({ t: 'call', id: 1, method: 'a.b', args: 1 }));
    await new Promise((resolve) => raw.once('data', resolve));
    assert.deepEqual(floods, [101]);
    assert.ok(taken <= 20, `${taken} notes`);
    assert.ok(peer.notesDropped >= 101);
    assert.ok(peer.framesReceived >= 150);
  });

  it('drops __proto__ keys however they are written', async () => {
    const seen = Promise.withResolvers<unknown>();
    const { raw } = hostile({ onNote: (note) => seen.resolve(note.args) });
    raw.write(
      frame(
        '{"t":"note","method":"a.b","args":{"__proto__":{"p":1},"\\u005f_proto__":{"p":1},"b":{"__proto__":1,"c":2}}}',
      ),
    );
    const args = (await seen.promise) as { b: object };
    assert.deepEqual(Object.keys(args), ['b']);
    assert.deepEqual(Object.keys(args.b), ['c']);
    const merged = Object.assign({}, args) as { p?: unknown };
    assert.equal(merged.p, undefined);
  });
});
