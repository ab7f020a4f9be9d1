import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MqttMessage, Verdict } from '#plugin-api';
import { loadConfig } from '#core/config/config.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Batcher, BatcherOptions } from '#core/mqtt/batcher.ts';
import { createBatcher } from '#core/mqtt/batching.ts';
import { parseVerdicts, toReasonLabel } from '#core/mqtt/batch-handling.ts';
import { IncomingMessage } from '#core/mqtt/incoming-message.ts';
import { withSpan } from '#core/telemetry/tracing.ts';
import { recordTelemetry } from '../../support/record-telemetry.ts';
import { createTestTelemetry } from '../plugin-host/test-telemetry.ts';
import { batcherOptions, until } from './fixture.ts';
import { startTestTracing } from '../../support/test-tracing.ts';

interface Harness {
  readonly batcher: Batcher;
  readonly acknowledged: string[];
  readonly deliver: (payload: string) => IncomingMessage;
}

function createHarness(overrides: Partial<BatcherOptions> = {}): Harness {
  const config = loadConfig({}, { mqttRetryDelayMs: 1, mqttBatchWaitMs: 1 });
  const batcher = createBatcher({
    ...batcherOptions(config, recordTelemetry(), { filter: 'drivers/+/location' }),
    // One device sends all: lanes have tests of their own.
    promptBurst: 1000,
    ...overrides,
  });
  const acknowledged: string[] = [];
  return {
    batcher,
    acknowledged,
    deliver(payload) {
      const message = new IncomingMessage({
        topic: 'drivers/d1/location',
        payload: Buffer.from(payload),
        qos: 1,
        username: 'd1',
        receivedAtMs: Date.now(),
        retained: false,
        duplicate: false,
        onEnd: (acknowledge) => void (acknowledge && acknowledged.push(payload)),
      });
      batcher.deliver(message);
      return message;
    },
  };
}

const wishes = { batchSizeMax: 500, batchWaitMs: 1 };
const accept = (messages: readonly MqttMessage[]): { verdicts: readonly Verdict[] } => ({
  verdicts: messages.map(() => 'accepted'),
});

describe('createBatcher()', () => {
  it('gives a batch its own trace, linked to what devices say', async () => {
    const tracing = await startTestTracing();
    const { batcher, acknowledged, deliver } = createHarness();
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    await withSpan('setup', {}, () => {
      batcher.attach(async (messages) => withSpan('handle', {}, () => accept(messages)), wishes);
      deliver(`{"lat":1,"traceparent":"00-${traceId}-00f067aa0ba902b7-01"}`);
      deliver('{"traceparent":"not one"}');
      deliver('"traceparent"');
    });
    await until('all are acknowledged', () => acknowledged.length === 3);
    const spans = tracing.recentSpans();
    const batch = spans.find((span) => span.name === 'process drivers/+/location');
    assert.equal(batch?.kind, 'consumer');
    assert.equal(batch.parentSpanId, undefined);
    assert.deepEqual(
      batch.links.map((link) => link.traceId),
      [traceId],
    );
    assert.equal(spans.find((span) => span.name === 'handle')?.parentSpanId, batch.spanId);
    await tracing.stop();
    await batcher.stop();
  });

  it('is one line a batch, in its span: for debugging when it went well, a warning when it comes again', async () => {
    const tracing = await startTestTracing();
    const telemetry = createTestTelemetry();
    const { batcher, acknowledged, deliver } = createHarness({ telemetry });
    let failures = 1;
    for (let number = 0; number < 3; number += 1) deliver(String(number));
    batcher.attach(async (messages) => {
      failures -= 1;
      if (failures >= 0) throw new AppError('PLUGIN_UNAVAILABLE', 'Cannot reach tracking: its process is gone');
      return { verdicts: messages.map(({ payload }) => (payload === '1' ? { rejected: 'stale' } : 'accepted')) };
    }, wishes);
    await until('all are acknowledged', () => acknowledged.length === 3);
    await batcher.stop();
    await tracing.stop();
    const [failed, settled, ...others] = telemetry.lines;
    assert.deepEqual(others, []);
    assert.deepEqual(
      [failed, settled].map((line) => [line?.level, line?.['messages'], line?.['devices'], line?.['outcome']]),
      [
        ['warn', 3, 1, 'retried'],
        ['debug', 3, 1, 'settled'],
      ],
    );
    assert.deepEqual([failed?.['code'], settled?.['rejected']], ['PLUGIN_UNAVAILABLE', 1]);
    for (const line of [failed, settled]) {
      const span = tracing.recentSpans(String(line?.['trace_id'])).find(({ kind }) => kind === 'consumer');
      assert.equal(span?.spanId, line?.['span_id']);
      assert.deepEqual([line?.['component'], line?.['filter']], ['mqtt', 'drivers/+/location']);
    }
  });

  it('lets one message that always fails keep no other back', async () => {
    const { batcher, acknowledged, deliver } = createHarness();
    batcher.attach(async (messages) => {
      if (messages.some((message) => message.payload === '3'))
        throw new AppError('PLUGIN_FAILED', 'Cannot store fixes: it fails');
      return accept(messages);
    }, wishes);
    for (let number = 0; number < 20; number += 1) deliver(String(number));
    await until('all others are acknowledged', () => acknowledged.length === 19);
    assert.ok(!acknowledged.includes('3'));
    assert.equal(batcher.size, 1);
    await batcher.stop();
  });

  it('keeps to the smaller of its own and the wished size, and to the bytes of a frame', async () => {
    const sizes: number[] = [];
    const { batcher, acknowledged, deliver } = createHarness({ batchSizeMax: 7, batchMaxBytes: 400 });
    for (let number = 0; number < 10; number += 1) deliver(String(number));
    for (let number = 0; number < 3; number += 1) deliver('x'.repeat(300));
    batcher.attach(
      async (messages) => {
        sizes.push(messages.length);
        return accept(messages);
      },
      { batchSizeMax: 5, batchWaitMs: 1 },
    );
    await until('all are acknowledged', () => acknowledged.length === 13);
    assert.deepEqual(sizes, [5, 5, 1, 1, 1]);
    await batcher.stop();
  });

  it('hands a second batch over while the first is stored, if it is full and wished for', async () => {
    const { batcher, acknowledged, deliver } = createHarness();
    const handed: string[][] = [];
    const stored: (() => void)[] = [];
    batcher.attach(
      async (messages) => {
        handed.push(messages.map(({ payload }) => payload));
        await new Promise<void>((resolve) => stored.push(resolve));
        return accept(messages);
      },
      { batchSizeMax: 2, batchWaitMs: 1, batchesMax: 2 },
    );
    for (const payload of ['1', '2', '3', '4', '5', '6', '7']) deliver(payload);
    assert.deepEqual(handed, [
      ['1', '2'],
      ['3', '4'],
    ]);
    // The second is done first: it does not wait for the other.
    stored[1]?.();
    await until('the second is acknowledged', () => acknowledged.length === 2);
    await until('the third is handed over', () => handed.length === 3);
    assert.deepEqual(handed[2], ['5', '6']);
    stored[0]?.();
    stored[2]?.();
    await until('what is left comes when nothing is in flight', () => handed.length === 4);
    stored[3]?.();
    await until('all are acknowledged', () => acknowledged.length === 7);
    assert.deepEqual(acknowledged.toSorted(), ['1', '2', '3', '4', '5', '6', '7']);
    await batcher.stop();
  });

  it('finds a bad message though two batches are in flight', async () => {
    const { batcher, acknowledged, deliver } = createHarness();
    batcher.attach(
      async (messages) => {
        await Promise.resolve();
        if (messages.some((message) => message.payload === '13'))
          throw new AppError('PLUGIN_FAILED', 'Cannot store fixes: it fails');
        return accept(messages);
      },
      { batchSizeMax: 8, batchWaitMs: 1, batchesMax: 2 },
    );
    for (let number = 0; number < 64; number += 1) deliver(String(number));
    await until('all others are acknowledged', () => acknowledged.length === 63);
    assert.ok(!acknowledged.includes('13'));
    assert.equal(new Set(acknowledged).size, 63);
    await batcher.stop();
  });

  it('acknowledges nothing when the verdicts are not one for each message', async () => {
    const { batcher, acknowledged, deliver } = createHarness();
    const answers: unknown[] = [{ verdicts: [] }, null, { verdicts: ['maybe'] }, { verdicts: ['accepted'] }];
    let calls = 0;
    batcher.attach(async () => answers[calls++], wishes);
    deliver('1');
    await until('it is acknowledged', () => acknowledged.length === 1);
    assert.equal(calls, 4);
    await batcher.stop();
  });

  it('rejects by itself what cannot be handed over as a message', async () => {
    const handed: unknown[] = [];
    const { batcher, acknowledged, deliver } = createHarness({ payloadMaxBytes: 100 });
    batcher.attach(async (messages) => {
      handed.push(...messages.map(({ payload }) => payload));
      return accept(messages);
    }, wishes);
    deliver('x'.repeat(101));
    deliver('1');
    await until('both are acknowledged', () => acknowledged.length === 2);
    assert.deepEqual(handed, ['1']);
    await batcher.stop();
  });

  it('hands it over, as far as it goes, to a plugin that wants to keep it', async () => {
    const handed: (readonly [string, unknown])[] = [];
    const { batcher, acknowledged, deliver } = createHarness({ payloadMaxBytes: 100 });
    batcher.attach(
      async (messages) => {
        handed.push(...messages.map(({ payload, refused }) => [payload, refused] as const));
        return { verdicts: messages.map(() => ({ rejected: 'noted' })) };
      },
      { ...wishes, handOverRefused: true },
    );
    deliver('x'.repeat(101));
    deliver('1');
    await until('both are acknowledged', () => acknowledged.length === 2);
    assert.deepEqual(handed, [
      [Buffer.from('x'.repeat(101)).toString('base64'), { reason: 'too-large', payloadBytes: 101 }],
      ['1', undefined],
    ]);
    await batcher.stop();
  });

  it('has no room when too many wait, and forgets those whose connection is gone', async () => {
    const { batcher, acknowledged, deliver } = createHarness({ waitingMax: 2 });
    const messages = [deliver('1'), deliver('2')];
    assert.equal(batcher.hasRoom(), false);
    messages[0]?.abandon();
    assert.deepEqual([batcher.hasRoom(), batcher.size, acknowledged.length], [true, 1, 0]);
    await batcher.stop();
  });
});

describe('parseVerdicts()', () => {
  it('says what is wrong', () => {
    assert.throws(
      () => parseVerdicts({ verdicts: ['accepted'] }, 2),
      /Cannot acknowledge 2 messages: the handler answered 1 verdicts/,
    );
    assert.throws(
      () => parseVerdicts({ verdicts: ['accepted', { rejected: 1 }] }, 2),
      /message 1: its verdict must be/,
    );
  });
});

describe('toReasonLabel()', () => {
  it('keeps short words and nothing else', () => {
    assert.deepEqual(['stale-fix', 'null_island', 'Stale', '', 'x'.repeat(41), 'a b'].map(toReasonLabel), [
      'stale-fix',
      'null_island',
      'other',
      'other',
      'other',
      'other',
    ]);
  });
});
