import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { createLogLevelSync, type LogLevelSync } from '#core/app/log-level/log-level-sync.ts';
import type { SetLevel } from '#core/app/log-level/log-level-store.ts';
import type { LevelChange } from '#core/telemetry/log-levels.ts';
import { recordTelemetry } from '../../support/record-telemetry.ts';

const set = (level: SetLevel['level'], leftMs: number, plugin = 'orders'): SetLevel => ({
  plugin,
  level,
  leftMs,
  setBy: { role: 'ops', id: 'kim' },
  setAt: new Date(0),
  // By a clock that differs: what is left alone counts.
  until: new Date(86_400_000 + leftMs),
});

describe('createLogLevelSync()', () => {
  let rows: readonly SetLevel[] | Error;
  let reads: number;
  let inForce: readonly LevelChange[];
  let sync: LogLevelSync;
  let telemetry: ReturnType<typeof recordTelemetry>;

  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    [rows, reads, inForce] = [[], 0, []];
    telemetry = recordTelemetry();
    sync = createLogLevelSync({
      store: {
        async read() {
          reads += 1;
          if (rows instanceof Error) throw rows;
          return rows;
        },
      },
      levels: { replace: (changes) => (inForce = changes) },
      logger: telemetry.logger,
      retryMs: 5000,
      now: () => Date.now(),
    });
  });
  afterEach(() => {
    sync.stop();
    mock.timers.reset();
  });

  const levelsNow = (): readonly unknown[] => inForce.map(({ plugin, level }) => [plugin, level]);

  it('ends each level by its own timer, also when the database is away by then', async () => {
    rows = [set('debug', 1000), set('trace', 3000, 'payments')];
    await sync.refresh();
    assert.deepEqual(levelsNow(), [
      ['orders', 'debug'],
      ['payments', 'trace'],
    ]);
    rows = new Error('away');
    mock.timers.tick(1000);
    assert.deepEqual(levelsNow(), [['payments', 'trace']]);
    mock.timers.tick(2000);
    assert.deepEqual(levelsNow(), []);
    assert.deepEqual(sync.current(), []);
    assert.deepEqual(
      telemetry.lines.map(({ msg, levels }) => [msg, (levels as unknown[]).length]),
      [
        ['Log levels changed', 2],
        ['Log levels changed', 1],
        ['Log levels changed', 0],
      ],
    );
  });

  it('reads again until the database answers, and keeps what holds meanwhile', async () => {
    rows = [set('debug', 60_000)];
    await sync.refresh();
    rows = new Error('away');
    sync.changed();
    await new Promise(setImmediate);
    assert.deepEqual(levelsNow(), [['orders', 'debug']]);
    assert.equal(telemetry.lines.at(-1)?.['level'], 40);
    rows = [set('error', 60_000)];
    mock.timers.tick(5000);
    await new Promise(setImmediate);
    assert.deepEqual(levelsNow(), [['orders', 'error']]);
    assert.equal(reads, 3);
  });

  it('reads once more when something is set while it reads, and no more than that', async () => {
    rows = [set('debug', 60_000)];
    const first = sync.refresh();
    rows = [set('error', 60_000)];
    await Promise.all([first, sync.refresh(), sync.refresh(), sync.refresh()]);
    assert.deepEqual(levelsNow(), [['orders', 'error']]);
    assert.equal(reads, 2);
  });

  it('tells whoever has set a level that it cannot be read', async () => {
    rows = new Error('away');
    await assert.rejects(sync.refresh(), { message: 'away' });
  });

  it('does nothing any more once it is stopped', async () => {
    rows = [set('debug', 1000)];
    await sync.refresh();
    sync.stop();
    const { length } = telemetry.lines;
    mock.timers.tick(10_000);
    await sync.refresh();
    assert.deepEqual([reads, telemetry.lines.length], [1, length]);
  });
});
