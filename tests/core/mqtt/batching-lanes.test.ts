import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadConfig } from '#core/config/config.ts';
import type { Config } from '#core/config/settings.ts';
import { BacklogPace } from '#core/mqtt/backlog-pace.ts';
import { createBatcher } from '#core/mqtt/batching.ts';
import { IncomingMessage } from '#core/mqtt/incoming-message.ts';
import { recordTelemetry } from '../../support/record-telemetry.ts';
import { batcherOptions, until } from './fixture.ts';

/** A batcher whose handler answers when told to, and whose devices are named by topic. */
function createHarness(
  batchesMax: number,
  { changes = {}, now = Date.now }: { readonly changes?: Partial<Config>; readonly now?: () => number } = {},
) {
  const config = loadConfig({}, { mqttBatchWaitMs: 1, ...changes });
  const handed: string[][] = [];
  const ends: (() => void)[] = [];
  const acknowledged: string[] = [];
  const batcher = createBatcher({
    ...batcherOptions(config, recordTelemetry(), { filter: 'drivers/+/location' }),
    promptPerSecond: 1,
    promptBurst: 1,
    now,
  });
  batcher.attach(
    async (messages) => {
      handed.push(messages.map(({ payload }) => payload));
      await new Promise<void>((resolve) => ends.push(resolve));
      return { verdicts: messages.map(() => 'accepted') };
    },
    { batchSizeMax: 10, batchWaitMs: 1, batchesMax },
  );
  return {
    batcher,
    handed,
    acknowledged,
    end: (index: number) => ends[index]?.(),
    deliver(device: string, count = 1) {
      for (let number = 0; number < count; number += 1) {
        const payload = `${device}${number}`;
        batcher.deliver(
          new IncomingMessage({
            topic: `drivers/${device}/location`,
            payload: Buffer.from(payload),
            qos: 1,
            username: device,
            receivedAtMs: Date.now(),
            retained: false,
            duplicate: false,
            onEnd: (acknowledge) => void (acknowledge && acknowledged.push(payload)),
          }),
        );
      }
    },
  };
}

describe('createBatcher(), lanes', () => {
  it('hands a device that reports now and then over while a batch of a backlog is stored', async () => {
    const { batcher, handed, acknowledged, end, deliver } = createHarness(2);
    deliver('back', 31);
    await until('its first message is handed over', () => handed.length === 1);
    assert.deepEqual(handed[0], ['back0']);
    end(0);
    await until('a batch of the backlog is handed over', () => handed.length === 2);
    assert.equal(handed[1]?.length, 10);
    deliver('live');
    await until('the live one is handed over beside it', () => handed.length === 3);
    assert.deepEqual(handed[2], ['live0']);
    end(2);
    await until('it is acknowledged before the backlog', () => acknowledged.includes('live0'));
    assert.equal(acknowledged.length, 2);
    end(1);
    await until('the backlog goes on', () => handed.length === 4);
    end(3);
    await until('and on', () => handed.length === 5);
    end(4);
    await until('all are acknowledged', () => acknowledged.length === 32);
    const backlog = acknowledged.filter((payload) => payload.startsWith('back'));
    assert.deepEqual(
      backlog,
      backlog.toSorted((a, b) => Number(a.slice(4)) - Number(b.slice(4))),
    );
    await batcher.stop();
  });

  it('leaves the last place to prompt messages while they come', async () => {
    const { batcher, handed, end, deliver } = createHarness(2);
    deliver('live');
    await until('the live one is handed over', () => handed.length === 1);
    end(0);
    deliver('back', 41);
    await until('its first message and a batch of the backlog follow', () => {
      end(1);
      return handed.length >= 3;
    });
    deliver('other');
    await until('another live one finds a place', () => handed.some((batch) => batch[0] === 'other0'));
    assert.equal(handed.filter((batch) => batch[0]?.startsWith('back') && batch.length === 10).length, 1);
    for (let index = 0; index < 20; index += 1) end(index);
    const stopped = batcher.stop();
    for (let index = 0; index < 20; index += 1) end(index);
    await stopped;
  });

  it('hands a backlog over in small batches while prompt messages come, and in large ones without them', async () => {
    let laterMs = 0;
    const changes = { mqttSharedBatchSizeMax: 3, mqttBacklogShare: 1 };
    const { batcher, handed, end, deliver } = createHarness(2, { changes, now: () => Date.now() + laterMs });
    deliver('live');
    // Its first message is a prompt one.
    deliver('back', 17);
    for (const [index, length] of [2, 3, 3].entries()) {
      await until('the next is handed over', () => handed.length === index + 1);
      assert.equal(handed[index]?.length, length);
      if (index === 2) laterMs = 60_000;
      end(index);
    }
    await until('the rest is handed over', () => handed.length === 4);
    assert.equal(handed[3]?.length, 10);
    end(3);
    await batcher.stop();
  });

  it('lets neither lane keep the other out of a plugin that takes one batch at a time', async () => {
    const { batcher, handed, end, deliver } = createHarness(1);
    deliver('back', 21);
    let lives = 0;
    let ended = 0;
    // A live message waits whenever a batch ends.
    await until('the backlog is handed over all the same', () => {
      deliver(`live${(lives += 1)}-`);
      if (handed.length > ended) end(ended++);
      return handed.flat().filter((payload) => payload.startsWith('back')).length === 21;
    });
    assert.ok(handed.flat().some((payload) => payload.startsWith('live')));
    const stopped = batcher.stop();
    end(ended);
    await stopped;
  });
});

describe('BacklogPace', () => {
  it('pauses in proportion to a batch while prompt messages come, and only then', () => {
    let nowMs = 0;
    const pace = new BacklogPace({ share: 0.25, now: () => nowMs });
    pace.batchEnded(10);
    assert.deepEqual([pace.isShared, pace.pauseMs], [false, 0]);
    pace.came('live', 'prompt');
    assert.deepEqual([pace.isShared, pace.pauseMs], [true, 30]);
    nowMs += 20;
    assert.equal(pace.pauseMs, 10);
    nowMs += 10;
    assert.equal(pace.pauseMs, 0);
    nowMs += 2000;
    pace.batchEnded(10);
    assert.deepEqual([pace.isShared, pace.pauseMs], [false, 0]);
  });

  it('never pauses when all of the time is its share', () => {
    const pace = new BacklogPace({ share: 1, now: () => 0 });
    pace.came('live', 'prompt');
    pace.batchEnded(1000);
    assert.equal(pace.pauseMs, 0);
  });

  it('leaves no time to those who come back themselves, though their first messages are prompt', () => {
    let nowMs = 0;
    const pace = new BacklogPace({ share: 0.25, now: () => nowMs });
    for (const topic of ['back', 'live', 'also back']) pace.came(topic, 'prompt');
    for (const topic of ['back', 'also back']) pace.came(topic, 'backlog');
    assert.equal(pace.isShared, true, 'for the one who reports now and then');
    nowMs += 2000;
    pace.came('back', 'backlog');
    assert.equal(pace.isShared, false);
    pace.came('live', 'prompt');
    pace.came('live', 'backlog');
    assert.equal(pace.isShared, false);
  });
});
