import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { describe, it } from 'node:test';
import { AppError } from '#core/errors/app-error.ts';
import type { IncomingCall } from '#core/plugin-host/protocol/incoming-calls.ts';
import { frame, hostile, pair, peerOn } from './peer-fixture.ts';

describe('createPeer()', () => {
  it('answers calls in both directions', async () => {
    const [left, right] = pair();
    assert.deepEqual(await left.call('a.b', { x: 1 }), { x: 1 });
    assert.deepEqual(await right.call('a.b', ['ü', '😀']), ['ü', '😀']);
    assert.equal(await left.call('a.b', undefined), undefined);
  });

  it('carries errors with code, details and cause, without the stack', async () => {
    const cause = new AppError('DATABASE_ERROR', 'Cannot query: gone');
    const [left] = pair(
      {},
      {
        onCall: () => {
          throw new AppError('NOT_FOUND', 'Cannot find order', { details: { id: 7 }, cause });
        },
      },
    );
    await assert.rejects(left.call('a.b', {}), (error: AppError) => {
      assert.equal(error.code, 'NOT_FOUND');
      assert.deepEqual(error.details, { id: 7 });
      assert.equal((error.cause as AppError).code, 'DATABASE_ERROR');
      return true;
    });
  });

  it('queues above the calls in flight and refuses above the queue', async () => {
    const open: PromiseWithResolvers<void>[] = [];
    const [left, right] = pair(
      {},
      {
        onCall: () => {
          const gate = Promise.withResolvers<void>();
          open.push(gate);
          return gate.promise;
        },
      },
    );
    const calls = Array.from({ length: 25 }, () =>
      left.call('a.b', {}).then(
        () => 'ok',
        (error: AppError) => error.code,
      ),
    );
    assert.equal(left.outgoing.inFlight, 8);
    assert.equal(left.outgoing.queued, 16);
    assert.equal(await calls[24], 'OVERLOADED');
    while (left.outgoing.inFlight > 0) {
      assert.ok(right.incoming.size <= 8);
      for (const gate of open.splice(0)) gate.resolve();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(new Set(await Promise.all(calls.slice(0, 24))), new Set(['ok']));
  });

  it('ends a call at its deadline, tells the receiver and lets a late answer pass', async () => {
    let received: IncomingCall | undefined;
    const late = Promise.withResolvers<string>();
    const { raw, peer, violation } = hostile();
    const call = peer.call('handle', {}, { timeoutMs: 5 });
    await assert.rejects(call, { code: 'TIMEOUT' });
    raw.write(frame({ t: 'ok', id: 1, value: 1 }));
    raw.write(frame({ t: 'ok', id: 1, value: 1 }));
    assert.match((await violation).message, /answers call 1, which does not exist/);

    const [left] = pair(
      {},
      {
        onCall: (incoming) => {
          received = incoming;
          return late.promise;
        },
      },
    );
    await assert.rejects(left.call('a.b', {}, { timeoutMs: 5 }), { code: 'TIMEOUT' });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(received?.signal.aborted, true);
    late.resolve('never sent');
  });

  it('cancels by signal', async () => {
    const controller = new AbortController();
    const aborted = Promise.withResolvers<void>();
    const [left] = pair(
      {},
      {
        onCall: (call) => {
          call.signal.addEventListener('abort', () => aborted.resolve());
          queueMicrotask(() => controller.abort(new Error('enough')));
          return new Promise(() => {});
        },
      },
    );
    await assert.rejects(left.call('a.b', {}, { signal: controller.signal }), /enough/);
    await aborted.promise;
  });

  it('refuses to send what does not fit a frame, and answers so when a result does not', async () => {
    const [left, right] = pair({}, { onCall: () => 'x'.repeat(70_000) });
    await assert.rejects(left.call('a.b', 'x'.repeat(70_000)), { code: 'INVALID_CALL' });
    await assert.rejects(left.call('a.b', {}), /the frame is 70\d+ bytes: at most 65536/);
    await assert.rejects(right.call('a.b', 1n), { code: 'INVALID_CALL' });
  });

  it('rejects what is in flight when closed', async () => {
    const [left] = pair({}, { onCall: () => new Promise(() => {}) });
    const call = left.call('a.b', {});
    left.close(new AppError('PLUGIN_UNAVAILABLE', 'Cannot reach plugin: it is gone'));
    await assert.rejects(call, { code: 'PLUGIN_UNAVAILABLE' });
    await assert.rejects(left.call('a.b', {}), { code: 'PLUGIN_UNAVAILABLE' });
  });

  it('stops reading a sender that has too many calls in flight', async () => {
    let running = 0;
    const release = Promise.withResolvers<void>();
    const { raw, peer } = hostile({
      onCall: () => {
        running += 1;
        return release.promise;
      },
    });
    for (let id = 1; id <= 5000; id += 1) raw.write(frame({ t: 'call', id, method: 'a.b', args: 'x'.repeat(100) }));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(running, 8);
    assert.equal(peer.incoming.size, 8);
    assert.ok(raw.writableLength > 100_000, 'the rest waits at the sender');
    raw.resume();
    release.resolve();
    await peer.idle();
  });

  it('takes the frames of an array one by one, and waits in the middle of it', async () => {
    const taken: number[] = [];
    const release = Promise.withResolvers<void>();
    const { raw, peer } = hostile({
      onCall: ({ id }) => {
        taken.push(id);
        return release.promise;
      },
    });
    const calls = Array.from({ length: 20 }, (_, index) => ({ t: 'call', id: index + 1, method: 'a.b', args: null }));
    raw.write(Buffer.concat([frame(calls), frame({ t: 'call', id: 21, method: 'a.b', args: null })]));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(peer.incoming.size, 8);
    raw.resume();
    release.resolve();
    while (taken.length < 21) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(
      taken,
      Array.from({ length: 21 }, (_, index) => index + 1),
    );
  });

  it('counts notes that are hidden in an array', async () => {
    let taken = 0;
    const { raw, peer } = hostile({ notesPerSecondMax: 10, onNote: () => (taken += 1) });
    raw.write(frame(Array.from({ length: 50 }, () => ({ t: 'note', method: 'a.b' }))));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([taken, peer.notesDropped], [10, 40]);
  });

  it('sends calls and answers of a turn in arrays that fit a frame, and notes alone', async () => {
    const [a, raw] = duplexPair({ highWaterMark: 65_536 });
    const chunks: Buffer[] = [];
    raw.on('data', (chunk: Buffer) => chunks.push(chunk));
    const peer = peerOn(a, { frameMaxBytes: 1024, callsInFlightMax: 64 });
    for (const size of [1, 1, 900, 200, 200]) void peer.call('a.b', 'x'.repeat(size)).catch(() => {});
    peer.note('c.d', 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const frames: unknown[] = [];
    for (let data = Buffer.concat(chunks); data.length > 0; data = data.subarray(4 + data.readUInt32BE())) {
      frames.push(JSON.parse(data.toString('utf8', 4, 4 + data.readUInt32BE())));
    }
    peer.close(new Error('over'));
    const idsOf = (value: unknown): unknown =>
      Array.isArray(value) ? value.map(idsOf) : ((value as { id?: number }).id ?? 'note');
    assert.deepEqual(frames.map(idsOf), [[1, 2], 3, 4, 5, 'note']);
  });

  it('joins a call to the trace of the call that it is made within, also when that was given up', async () => {
    const seen: (string | undefined)[] = [];
    const { raw, peer } = hostile({
      onCall: ({ traceparent }) => seen.push(traceparent),
      onNote: ({ traceparent }) => seen.push(traceparent),
    });
    const own = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
    const waiting = [
      peer.call('handle', {}, { traceparent: own }),
      assert.rejects(peer.call('handle', {}, { traceparent: own, timeoutMs: 1 }), { code: 'TIMEOUT' }),
    ];
    await waiting[1];
    raw.write(frame([1, 2, 3].map((within) => ({ t: 'call', id: within, method: 'a.b', within }))));
    raw.write(frame({ t: 'note', method: 'a.b', within: 1 }));
    raw.write(frame({ t: 'ok', id: 1 }));
    await waiting[0];
    assert.deepEqual(seen, [own, own, undefined, own]);
  });

  it('names a trace itself when the call is over for which it calls', async () => {
    const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
    let call: IncomingCall | undefined;
    const [left] = pair(
      {},
      {
        onCall: (received) => {
          call = received;
          assert.deepEqual(received.origin, { within: received.id });
        },
      },
    );
    await left.call('handle', {}, { traceparent });
    assert.deepEqual(call?.origin, { traceparent });
  });
});
